"""ctrl-C and SIGTERM as a request to finish what is in flight. A second ctrl-C interrupts at once, as ever.

Only the main thread can listen to signals; elsewhere (a flow's worker thread) the event is simply never set.
"""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signal() -> Iterator[asyncio.Event]:
    """An event of the running loop that the first ctrl-C or SIGTERM sets."""
    stop = asyncio.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    loop = asyncio.get_running_loop()

    def request() -> None:
        stop.set()
        _listen_no_more(loop)

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in _SIGNALS:
        loop.add_signal_handler(number, request)
    try:
        yield stop
    finally:
        _listen_no_more(loop)
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen_no_more(loop: asyncio.AbstractEventLoop) -> None:
    for number in _SIGNALS:
        loop.remove_signal_handler(number)
