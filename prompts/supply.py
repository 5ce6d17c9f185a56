"""The documents of a run that are open, claimed a chunk at a time: bounded memory, whatever the source holds.

Documents are read, looked up in the ledger and claimed by the thousand, in threads, while others are being asked about.
Where a budget stands in the way, what is in flight may still turn out cheaper than reserved: the supply waits for it,
and ends when nothing of this process is in flight any more.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prompts.summary import LabelSummary
from records import claims, ledger
from records.claims import Bounds, Taken
from records.store import Store
from records.types import Document, Outcome

_LOOKED_UP = 1_000
_GRACE_S = 30.0
"""For what is in flight when a person stops a run."""


@dataclass(frozen=True)
class Terms:
    """Under what terms documents are asked about. `again`: outcomes that count as open; `run`: a run that another
    process began and ends; `share`: of the limits in flight and a minute, 0..1, where several processes share them.
    """

    bounds: Bounds = field(default_factory=Bounds)
    again: tuple[Outcome, ...] = (Outcome.failed,)
    run: str | None = None
    share: float = 1.0


class Supply:
    """What one process takes up for one run. `chunk`: documents claimed at once."""

    def __init__(
        self,
        store: Store,
        task: str,
        run: str,
        terms: Terms,
        chunk: int,
        key_of: Callable[[Document], str],
        highest_of: Callable[[Document], float],
        summary: LabelSummary,
    ) -> None:
        """`key_of`: a document's answer key; `highest_of`: the most US dollars its answer can cost."""
        self._store, self._task, self._run, self._terms, self._chunk = store, task, run, terms, chunk
        self._key_of, self._highest_of = key_of, highest_of
        self._summary = summary
        self.owner = claims.owner()
        self._unsettled = 0
        self._settled = asyncio.Event()

    async def open(self, documents: Iterable[Document], stop: asyncio.Event) -> AsyncIterator[tuple[str, Document]]:
        """Key and document of each that is now claimed, until there are no more, a bound is reached, or `stop`."""
        source = iter(documents)
        await asyncio.to_thread(claims.forget_dead, self._store, self._task)
        async for chunk in self._chunks(source, self._chunk):
            async for item in self._claimed(chunk, stop):
                yield item
            if stop.is_set() or self._summary.bound is not None:
                break
        async for rest in self._chunks(source, _LOOKED_UP):
            known = await asyncio.to_thread(ledger.answered_keys, self._store, rest, self._terms.again)
            self._summary.known += len(known)

    def settle(self) -> None:
        """One claimed document is done with."""
        self._unsettled -= 1
        self._settled.set()

    async def used_up(self, workers: Iterable[Coroutine[Any, Any, None]], stop: asyncio.Event) -> None:
        """Let the workers use it up, with its claims renewed; after a stop, for as long as the grace lasts. Then what
        was claimed and not asked about is given up. Raises what a worker raised.
        """
        asking: asyncio.Future[Any] = asyncio.gather(*workers)
        stopping: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
        renewing: asyncio.Future[Any] = asyncio.ensure_future(self._renewed())
        try:
            await asyncio.wait([asking, stopping], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([asking], timeout=_GRACE_S)
            if asking.done():
                asking.result()
        finally:
            for future in (asking, stopping, renewing):
                future.cancel()
            await asyncio.gather(asking, stopping, renewing, return_exceptions=True)
            await asyncio.to_thread(claims.release, self._store, self.owner)

    async def _renewed(self) -> None:
        while True:
            await asyncio.sleep(claims.LEASE_S / 3)
            await asyncio.to_thread(claims.renew, self._store, self.owner)

    async def _chunks(self, source: Iterator[Document], size: int) -> AsyncIterator[dict[str, Document]]:
        while rows := await asyncio.to_thread(lambda: list(itertools.islice(source, size))):
            chunk = {self._key_of(document): document for document in rows}
            self._summary.seen += len(chunk)
            yield chunk

    async def _claimed(self, chunk: Mapping[str, Document], stop: asyncio.Event) -> AsyncIterator[tuple[str, Document]]:
        wanted = {key: self._highest_of(document) for key, document in chunk.items()}
        while wanted and not stop.is_set():
            taken = await asyncio.to_thread(self._take, wanted)
            self._unsettled += len(taken.mine)
            self._summary.known += len(taken.known)
            self._summary.elsewhere += len(taken.elsewhere)
            for key in taken.mine:
                yield key, chunk[key]
            if taken.blocked is not None and (taken.final or not self._unsettled):
                self._summary.bound = taken.blocked
                return
            wanted = {key: wanted[key] for key in taken.left}
            if wanted:
                await self._settled.wait()
            self._settled.clear()

    def _take(self, wanted: Mapping[str, float]) -> Taken:
        terms = self._terms
        return claims.take(self._store, self._task, self._run, self.owner, wanted, terms.bounds, terms.again)
