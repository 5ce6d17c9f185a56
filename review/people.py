"""Who works at the desk: an owner, whom Retort itself signs in as, and reviewers, with passwords nobody had to invent.

Credentials are plain data here; one function writes them to a file that only the user can read (0600), one reads them.

    {"owner": {"username": "owner", "password": "...", "api_key": "..."},
     "reviewers": [{"username": "reviewer-1", "password": "...", "api_key": null}, ...],
     "leads": [{"username": "maria", "password": "...", "api_key": null}]}
"""

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from records.errors import InputError, ServiceError
from review import sdk
from review.desk import Desk


class Account(BaseModel):
    """How one person signs in. Only the owner has an API key of our making. Secrets do not show when it is printed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: str = Field(min_length=1)
    password: str = Field(min_length=8, repr=False)
    api_key: str | None = Field(default=None, repr=False)


class Credentials(BaseModel):
    """Everyone at the desk. `leads`: who decides and is not among the reviewers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    owner: Account
    reviewers: list[Account]
    leads: list[Account] = []


def credentials(file: Path, reviewers: Sequence[str], owner: str = "owner") -> Credentials:
    """The credentials in this file, with accounts made (and written) for those who have none yet."""
    known = read(file) or Credentials(owner=_account(owner, with_key=True), reviewers=[])
    missing = [name for name in reviewers if name not in {a.username for a in known.reviewers}]
    everyone = known.model_copy(update={"reviewers": [*known.reviewers, *map(_account, missing)]})
    if missing or not file.exists():
        write(file, everyone)
    return everyone


def leads(file: Path, usernames: Sequence[str]) -> list[Account]:
    """The accounts of these leads, made (and written) for those who have none; a reviewer may be a lead.

    Raises InputError when there is no such file.
    """
    known = read(file)
    if known is None:
        raise InputError(f"{file} is missing, so no lead can be given an account: start the desk (`retort up`).")
    accounts = {a.username: a for a in (*known.leads, *known.reviewers)}
    missing = [_account(name) for name in usernames if name not in accounts and name != known.owner.username]
    if missing:
        write(file, known.model_copy(update={"leads": [*known.leads, *missing]}))
    accounts |= {a.username: a for a in missing}
    return [accounts[name] for name in usernames if name in accounts]


def read(file: Path) -> Credentials | None:
    """The credentials in a file, None when there is no file. Raises InputError when it cannot be understood."""
    if not file.exists():
        return None
    try:
        return Credentials.model_validate_json(file.read_text())
    except (ValidationError, UnicodeDecodeError):  # its message would show the file's content
        raise InputError(f"{file} is not a credentials file; delete it, and new passwords are made.") from None


def write(file: Path, everyone: Credentials) -> None:
    """Write the credentials so that only this user can read them; at once or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(file.name + ".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(everyone.model_dump_json(indent=2) + "\n")
    os.replace(draft, file)


def owner_environment(owner: Account, workspace: str) -> dict[str, str]:
    """What `python -m review.embedded.launch` reads from its environment."""
    return {
        "RETORT_DESK_OWNER": owner.username,
        "RETORT_DESK_PASSWORD": owner.password,
        "RETORT_DESK_API_KEY": owner.api_key or "",
        "RETORT_DESK_WORKSPACE": workspace,
    }


def ensure(desk: Desk, reviewers: Sequence[Account]) -> None:
    """Give each reviewer an account that can sign in with the given password, and a seat in the desk's workspace."""
    users = {u["username"]: u["id"] for u in desk.call("GET", "/users")["items"]}
    for person in reviewers:
        if person.username not in users:
            body = {"first_name": person.username, "username": person.username, "password": person.password}
            users[person.username] = desk.call("POST", "/users", body | {"role": "annotator"})["id"]
        elif not can_sign_in(desk.url, person):
            desk.call("PATCH", f"/users/{users[person.username]}", {"password": person.password})
    seat(desk, {person.username: users[person.username] for person in reviewers})


def seat(desk: Desk, users: Mapping[str, str]) -> None:
    """Give accounts of the desk (username -> id) a seat in this desk's workspace."""
    argilla = sdk.load()
    with sdk.speaking_to(desk.url):
        workspace = desk.client.workspaces(desk.workspace)
        seated = {u.username for u in workspace.users}
        for name, id_ in users.items():
            if name not in seated:
                workspace.add_user(argilla.User(username=name, id=id_, client=desk.client))


def seat_by_name(desk: Desk, usernames: Sequence[str]) -> None:
    """Give people whom the desk knows a seat in this desk's workspace. Raises InputError for one it does not know."""
    users = {u["username"]: u["id"] for u in desk.call("GET", "/users")["items"]}
    unknown = [name for name in usernames if name not in users]
    if unknown:
        raise InputError(
            f"review.leads names {', '.join(unknown)}, whom the review desk at {desk.url} does not know: "
            "make the account in Argilla, or correct the name in task.yaml."
        )
    seat(desk, {name: users[name] for name in usernames})


def can_sign_in(url: str, person: Account) -> bool:
    """Whether the desk takes this password. Raises ServiceError when the desk does not answer."""
    with sdk.speaking_to(url):
        return _asked_for_token(url, person).status_code < 400


def sign_in(url: str, person: Account) -> httpx.Client:
    """A client that speaks to Argilla's API as this person. Raises ServiceError."""
    with sdk.speaking_to(url):
        answer = _asked_for_token(url, person)
        if answer.status_code == 401:
            raise ServiceError(f"the review desk at {url} does not take the password of {person.username!r}.")
        answer.raise_for_status()
        token = answer.json()["access_token"]
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False)


def _asked_for_token(url: str, person: Account) -> httpx.Response:
    form = {"username": person.username, "password": person.password}
    with httpx.Client(timeout=30, trust_env=False) as client:
        return client.post(f"{url.rstrip('/')}/api/v1/token", data=form)


def _account(username: str, with_key: bool = False) -> Account:
    return Account(
        username=username,
        password=secrets.token_urlsafe(12),
        api_key=secrets.token_urlsafe(32) if with_key else None,
    )
