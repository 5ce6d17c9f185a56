"""Become one service: `python -m retort.launch NAME`, what the supervisor runs.

Secrets are read here, from the private file, and given to the service alone; the supervisor's config and its process
hold none. The process then *becomes* the service (exec), so that signals and exit codes are the service's own. It holds
a lock file meanwhile, which proves, after a kill -9 of the supervisor, that a process left over is ours.
"""

import fcntl
import os
import sys
import time
from pathlib import Path

from flows.settings import settings
from records.errors import EnvironmentFault, RetortError, ServiceError
from retort import services

_PREFECT_SECONDS = 240


def hold(home: Path, name: str) -> None:
    """Hold `run/NAME.lock` with our process id until this process ends, exec included. Raises EnvironmentFault."""
    path = home / "run" / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise EnvironmentFault(f"{name} is running already in {home}: `retort down` stops it.") from None
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    os.set_inheritable(lock, True)


def held(home: Path) -> dict[str, int]:
    """The services that run now, by name, with their process ids (which are their process groups)."""
    found = {}
    for path in (home / "run").glob("*.lock"):
        with path.open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = lock.read().strip()
                if pid.isdigit():
                    found[path.stem] = int(pid)
    return found


def wait_for_prefect(api: str, seconds: float = _PREFECT_SECONDS) -> None:
    """Wait until Prefect's server answers. Raises ServiceError when it does not in time."""
    until = time.monotonic() + seconds
    while not services.answers(f"{api}/health"):
        if time.monotonic() > until:
            raise ServiceError(f"Prefect's server did not answer at {api} within {seconds:.0f} s: see prefect.log.")
        time.sleep(1)


def main(name: str) -> int:
    """Never returns when all is well."""
    try:
        chosen = settings()
        hold(chosen.home, name)
        if name == "worker":
            wait_for_prefect(chosen.prefect_api)
        argv, environ = services.command(chosen, name), services.environment(chosen, name, os.environ)
    except RetortError as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    os.chdir(chosen.folder("run", name))  # a clean one: vendors read .env and the like from where they start
    os.execve(argv[0], argv, environ)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
