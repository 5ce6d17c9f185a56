"""The passwords and keys that Retort makes up once: `credentials.json` in the home folder, for its owner's eyes only.

    {"owner": {"username": "owner", "password": "...", "api_key": "..."},
     "reviewers": {"reviewer1": "...", "reviewer2": "..."}, "gateway_key": "sk-retort-..."}

They are generated on first use. To change one, edit the file and run `retort down` and `retort up`; the desk follows.
"""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from records.errors import EnvironmentFault

REVIEWERS = ("reviewer1", "reviewer2")


@dataclass(frozen=True)
class Owner:
    """Who administers the review desk; Retort signs its own requests with the API key."""

    username: str
    password: str = field(repr=False)
    api_key: str = field(repr=False)


@dataclass(frozen=True)
class Credentials:
    """All generated secrets of one home. Reviewers: user name -> password."""

    owner: Owner
    reviewers: dict[str, str] = field(repr=False)
    gateway_key: str = field(repr=False)


def load_or_create(home: Path, reviewers: tuple[str, ...] = REVIEWERS) -> Credentials:
    """The credentials of this home, generated when there are none. Raises EnvironmentFault when the file is broken."""
    path = home / "credentials.json"
    if not path.exists():
        _create(path, _generate(reviewers))
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    try:
        said = json.loads(path.read_text("utf-8"))
        return Credentials(Owner(**said["owner"]), dict(said["reviewers"]), said["gateway_key"])
    except (ValueError, KeyError, TypeError) as error:
        raise EnvironmentFault(
            f"{path} cannot be read ({type(error).__name__}): repair it, or move it away to get new passwords and keys."
        ) from None


def _generate(reviewers: tuple[str, ...]) -> Credentials:
    owner = Owner("owner", secrets.token_urlsafe(18), secrets.token_urlsafe(32))
    return Credentials(
        owner, {name: secrets.token_urlsafe(12) for name in reviewers}, f"sk-retort-{secrets.token_urlsafe(24)}"
    )


def _create(path: Path, made: Credentials) -> None:
    """Write whole and private from the start; where two processes meet here, the first one's file counts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(json.dumps(asdict(made), indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
