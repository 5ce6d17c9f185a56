"""How many requests are in flight: as many as allowed, fewer while the server pushes back, and soon as many again.

The share of pushed-back requests (429, 503, 529, timeouts) in a window says how far the limit is too high: it shrinks
by half that share. While it is used it grows, by a quarter a window without refusals, by a twentieth with some. So a
few refusals at random cost little, and a server that refuses everything sees the requests halve with every window (the
rule of DCTCP: Alizadeh et al. 2010, "Data Center TCP", section 3). When most of a window was refused, nothing new
starts before the longest `Retry-After`.
Rates a minute are leaky buckets (aiolimiter); a process among several gets its share of the rates and of the limit.
"""

import asyncio
from collections import deque

from aiolimiter import AsyncLimiter

WINDOW_S = 0.5
_GROWTH = 0.25
_CAREFUL_GROWTH = 0.05
_MOST_REFUSED = 0.5
_BURST_S = 2.0
"""Seconds of a rate that may go out at once."""


class Throttle:
    """Slots for requests. `most`: in flight at most; rates a minute, None: no limit."""

    def __init__(
        self, most: int, requests_per_minute: float | None = None, tokens_per_minute: float | None = None
    ) -> None:
        """Use it in one event loop only."""
        self._most = most
        self.limit = float(most)
        self._active = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._requests = _bucket(requests_per_minute)
        self._tokens = _bucket(tokens_per_minute)
        self._done = self._pushed = 0
        self._longest_wait_s = 0.0
        self._window_ends = self._resume_at = 0.0
        self._full = False

    async def acquire(self, tokens: int) -> None:
        """Wait for a slot, and for the rates to allow a request of so many tokens (an estimate)."""
        for bucket, amount in ((self._requests, 1.0), (self._tokens, float(tokens))):
            if bucket is not None:
                await bucket.acquire(min(amount, bucket.max_rate))
        while self._free() < 1:
            self._full = True
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter
        self._active += 1

    def release(self) -> None:
        """Give a slot back."""
        self._active -= 1
        self._done += 1
        self._look()
        self._wake()

    def push_back(self, wait_s: float) -> None:
        """The server refused an attempt and asked for so many seconds of patience."""
        self._pushed += 1
        self._longest_wait_s = max(self._longest_wait_s, wait_s)
        self._look()

    def _free(self) -> int:
        if asyncio.get_running_loop().time() < self._resume_at:
            return 0
        return max(1, int(self.limit)) - self._active

    def _look(self) -> None:
        """At a window's end: shrink by what was refused, grow if all slots were in use."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._window_ends:
            return
        refused = self._pushed / max(1, self._pushed + self._done)
        self.limit = max(1.0, self.limit * (1 - refused / 2))
        if self._full and refused < _MOST_REFUSED:
            growth = _CAREFUL_GROWTH if refused else _GROWTH
            self.limit = min(float(self._most), (self.limit + 1) * (1 + growth) - 1)
        if refused >= _MOST_REFUSED:
            self._resume_at = loop.time() + self._longest_wait_s
            loop.call_at(self._resume_at, self._wake)
        self._done = self._pushed = 0
        self._longest_wait_s = 0.0
        self._full = bool(self._waiting)
        self._window_ends = loop.time() + WINDOW_S

    def _wake(self) -> None:
        free = self._free()
        while self._waiting and free > 0:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                free -= 1


def _bucket(per_minute: float | None) -> AsyncLimiter | None:
    return None if per_minute is None else AsyncLimiter(max(1.0, per_minute / 60 * _BURST_S), _BURST_S)
