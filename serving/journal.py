"""What production asked and was answered, written to the store behind the answer's back.

A thread of its own takes requests off a bounded queue and writes them in batches: the answer never waits for the store
and never fails with it. When the store is down or too slow, requests are dropped, counted, and logged; the answers go
on. `close` writes what is left.
"""

import logging
import queue
import random
import threading

from records import traffic
from records.store import Store
from records.types import Request

_log = logging.getLogger("retort.gateway")
_BATCH = 100
_ROOM = 10_000


class Journal:
    """A writer of requests. One per process; `note` may be called from any thread."""

    def __init__(self, store: Store, room: int = _ROOM) -> None:
        """`room`: requests that may wait to be written."""
        self._store = store
        self._waiting: queue.Queue[Request | None] = queue.Queue(room)
        self.lost = 0
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    def note(self, request: Request, sample_rate: float) -> None:
        """Keep this request with a probability of `sample_rate` (0..1). Returns at once."""
        # A chance, not a hash of the text: what is asked often should be seen often.
        if random.random() >= sample_rate:
            return
        try:
            self._waiting.put_nowait(request)
        except queue.Full:
            self._lose(1, "too many wait to be written")

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what waits, then stop."""
        try:
            self._waiting.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._thread.join(timeout_s)

    def _write(self) -> None:
        while True:
            batch, ended = self._take()
            if batch:
                try:
                    traffic.record(self._store, batch)
                except Exception as fault:  # whatever the database raises: the next batch may succeed
                    self._lose(len(batch), f"{type(fault).__name__}: {fault}")
            if ended:
                return

    def _take(self) -> tuple[list[Request], bool]:
        """All that waits, at least one and at most a batch; and whether that was the end."""
        batch: list[Request] = []
        found = self._waiting.get()
        while found is not None:
            batch.append(found)
            if len(batch) == _BATCH or self._waiting.empty():
                return batch, False
            found = self._waiting.get()
        return batch, True

    def _lose(self, count: int, reason: str) -> None:
        self.lost += count
        _log.error("%d request(s) not recorded (%d in all): %s", count, self.lost, reason)
