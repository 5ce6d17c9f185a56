"""Make the environments: `python3 -m retort.setup app training argilla [test]`.

Two at a time, as fetching and unpacking take turns; one line shows all of them. What is complete is left alone (under
a second), what was interrupted goes on. RETORT_TORCH_INDEX=<URL of PyTorch's CPU wheels> spares a machine without a GPU
several GB of CUDA. pip's configuration and cache are used as they are. Standard library only: nothing is there yet.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from retort.preflight import python_fault

PROJECT = Path(__file__).resolve().parents[1]
_AT_ONCE = 2
_TERMINAL_SECONDS, _LOG_SECONDS = 0.5, 15.0
_EXIT_FAULT, _EXIT_STOPPED = 3, 130


class Board:
    """How far each environment is: one moving line on a terminal, a line every 15 s elsewhere."""

    def __init__(self, names: Sequence[str]) -> None:
        """Begin the clock."""
        self._state = dict.fromkeys(names, "waiting")
        self._begun = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._shown = 0.0

    def tell(self, name: str, note: str) -> None:
        """Note how far an environment is."""
        self._state[name] = note

    def show(self, now: bool = False) -> None:
        """Draw the line, if it is time."""
        elapsed = time.monotonic() - self._begun
        if not now and elapsed - self._shown < (_TERMINAL_SECONDS if self._terminal else _LOG_SECONDS):
            return
        self._shown = elapsed
        states = " | ".join(f"{name} {note}" for name, note in self._state.items())
        line = f"set-up {int(elapsed) // 60}:{int(elapsed) % 60:02d}  {states}"
        if self._terminal:
            width = os.get_terminal_size(sys.stderr.fileno()).columns - 1
            print(f"\r\x1b[K{line[:width]}", end="\n" if now else "", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


@contextmanager
def one_at_a_time(project: Path) -> Iterator[None]:
    """Let only one set-up work in this project; a second one waits and says so."""
    folder = project / ".venv"
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up is at work in this folder; waiting for it.", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install_all(names: Sequence[str], logs: Path, stop: threading.Event) -> str | None:
    """Install these layers (`test` after `app`, as both are one environment); None, or what the first failure says."""
    from retort.environments import layer
    from retort.installer import InstallFault, Stopped, install

    board = Board(names)

    def work(chain: Sequence[str]) -> None:
        for name in chain:
            install(layer(name), logs / f"setup-{name}.log", board.tell, stop)

    chains = [[name] for name in names if name in ("training", "argilla")]
    chains.insert(1, [name for name in names if name in ("app", "test")])  # the long one and the needed one first
    failed = None
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        running: set[Future[None]] = {pool.submit(work, chain) for chain in chains if chain}
        while running:
            done, running = wait(running, timeout=_TERMINAL_SECONDS)
            board.show()
            for future in done:
                error = future.exception()
                if error and not isinstance(error, Stopped):
                    failed = failed or (str(error) if isinstance(error, InstallFault | OSError) else repr(error))
                    stop.set()
    board.show(now=True)
    return failed


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 when all named environments are complete, 3 after a fault, 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="python3 -m retort.setup", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="+", metavar="NAME", help="app, training, argilla, test")
    names = list(dict.fromkeys(parser.parse_args(arguments).names))
    old = python_fault(sys.version_info[:3])
    if old:
        print(f"retort: {old}", file=sys.stderr)
        return _EXIT_FAULT
    from retort.environments import is_installed

    stop = threading.Event()
    for sent in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sent, lambda number, frame: stop.set())
    home = Path(os.environ.get("RETORT_HOME") or PROJECT / ".retort").absolute()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)  # documents will be kept here
    with one_at_a_time(PROJECT):
        shutil.rmtree(PROJECT / ".venv" / "tmp", ignore_errors=True)
        missing = [name for name in names if not is_installed(name)]
        failed = install_all(missing, home / "logs", stop) if missing else None
    if not stop.is_set():
        return 0
    said = f"retort: {failed}" if failed else "Stopped."
    print(f"{said}\nWhat is installed so far is kept: the same command goes on from there.", file=sys.stderr)
    return _EXIT_FAULT if failed else _EXIT_STOPPED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
