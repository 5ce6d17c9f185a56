"""The folder of an embedded Argilla as both environments know it: what lies in it, and who holds it.

Argilla itself runs from `review/embedded`, in an environment of its own; what this one does with the folder
(`review.backup`) must know its release, its files and its lock, so these stand here. Standard library only.
"""

import fcntl
from pathlib import Path
from typing import IO

from records.errors import EnvironmentFault

ARGILLA = "2.8.0"
"""The one release that the embedded search engine was written for: it reads this release's tables."""
DATABASE = "argilla.db"
SECRET = "auth_secret"


def hold(home: Path) -> IO[str]:
    """Hold the folder until the returned file is closed. Raises EnvironmentFault when another process holds it."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = (home / "lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise EnvironmentFault(f"an Argilla is running in {home} already; stop it, or give another --home.") from None
    return lock
