"""The passwords and keys that Retort makes up once, in the home folder, each file readable by its owner alone (0600).

    credentials.json   the people at the desk: its owner and the reviewers (format and writing: `review.people`)
    gateway.key        what applications sign in with; a file of its own, to be handed on without the desk's passwords

They are made on first use. To change one, edit its file and run `retort down` and `retort up`: the services follow.
"""

import fcntl
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from records.errors import EnvironmentFault
from review.people import Account, credentials

REVIEWERS = ("reviewer1", "reviewer2")
_SHORTEST_KEY = 16


@dataclass(frozen=True)
class Credentials:
    """All generated secrets of one home."""

    owner: Account
    reviewers: list[Account]
    gateway_key: str = field(repr=False)


def load_or_create(home: Path, reviewers: tuple[str, ...] = REVIEWERS) -> Credentials:
    """The credentials of this home, made if there are none. Raises InputError or EnvironmentFault for a broken file."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    people, key = home / "credentials.json", home / "gateway.key"
    with (home / ".credentials.lock").open("a") as lock:  # processes that meet here make one set
        fcntl.flock(lock, fcntl.LOCK_EX)
        for file in (people, key):
            if file.exists() and file.stat().st_mode & 0o077:
                file.chmod(0o600)
        desk = credentials(people, reviewers)
        return Credentials(desk.owner, desk.reviewers, _gateway_key(key))


def _gateway_key(file: Path) -> str:
    if not file.exists():
        draft = file.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(f"sk-retort-{secrets.token_urlsafe(24)}\n")
        os.replace(draft, file)
    key = file.read_text("utf-8").strip()
    if len(key) < _SHORTEST_KEY:
        raise EnvironmentFault(
            f"{file} holds no key of at least {_SHORTEST_KEY} characters: delete it to get a new one."
        )
    return key
