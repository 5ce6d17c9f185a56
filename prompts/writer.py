"""Answers on their way to the store: all that arrived while the last ones were written go in one transaction.

An asking is over when its answer is on disk, so a kill loses what was in flight and nothing else. A commit takes
milliseconds and hundreds of answers may arrive in a second: written one by one, by the event loop, they would be what
limits the speed. So a thread writes, and one commit serves all who wait (group commit).
"""

import asyncio
from collections.abc import Iterator, Sequence

from records import ledger
from records.store import Store
from records.types import Label

_Pending = tuple[Label, "asyncio.Future[None]"]


class Writer:
    """`async with Writer(store) as writer: await writer.keep(label)`."""

    def __init__(self, store: Store) -> None:
        """Use it in one event loop only."""
        self._store = store
        self._pending: list[_Pending] = []
        self._arrived = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Writer":
        """Begin to write."""
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write what is left, then stop."""
        assert self._task is not None
        self._closing = True
        self._arrived.set()
        await self._task

    async def keep(self, label: Label) -> None:
        """Return when the answer is on disk. Raises what writing raised."""
        kept = asyncio.get_running_loop().create_future()
        self._pending.append((label, kept))
        self._arrived.set()
        await asyncio.shield(kept)

    async def _run(self) -> None:
        while self._pending or not self._closing:
            await self._arrived.wait()
            self._arrived.clear()
            batch, self._pending = self._pending, []
            fault = await self._write([label for label, _ in batch])
            for kept in _open(batch):
                if fault is None:
                    kept.set_result(None)
                else:
                    kept.set_exception(fault)

    async def _write(self, labels: Sequence[Label]) -> Exception | None:
        try:
            await asyncio.to_thread(ledger.save, self._store, labels)
        except Exception as fault:  # handed to each who waits
            return fault
        return None


def _open(batch: Sequence[_Pending]) -> Iterator["asyncio.Future[None]"]:
    return (kept for _, kept in batch if not kept.done())
