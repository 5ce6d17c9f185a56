"""A desk moves to another Argilla by its API: people, workspaces, datasets, records, suggestions, vectors, answers.

Both sides are Argilla 2.8, embedded or a team's with Elasticsearch. Each answer keeps its person (by name), its values
and its status, and so each record is complete or not as before. Moving again brings only what is new: a record that is
there stays as it is, an answer is written when the target has none of this person or an older one, so people may go on
on either side meanwhile, and a move that was broken off goes on. Nothing is changed at the source.

What Argilla's API does not give away stays behind: passwords (people that `passwords` does not name cannot sign in
until one is set), API keys, and when an answer was given: at the target it is dated by the move.

    move(Api("http://127.0.0.1:6900", key), Api("https://argilla.example", other_key), passwords={"anna": "..."})
"""

import secrets
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import httpx
from pydantic import BaseModel

from records.errors import InputError, ServiceError
from records.progress import Progress, silent
from review import layout, sdk

_PAGE = 100  # records in one request; Argilla takes 500, and 250 values in one filter
_WITH = ("responses", "suggestions", "vectors")


class Moved(BaseModel):
    """What a move did. `without_password`: people who were made and cannot sign in yet."""

    datasets: int
    records: int
    new_records: int
    new_answers: int
    people: int
    without_password: list[str]

    @property
    def text(self) -> str:
        """For people."""
        told = f"{self.datasets} datasets with {self.records:,} records are there: {self.new_records:,} records, "
        told += f"{self.new_answers:,} answers and {self.people} people came new."
        if self.without_password:
            told += f" Set a password in Argilla for: {', '.join(self.without_password)}."
        return told


class Api:
    """An Argilla as one of its owners speaks to it."""

    def __init__(self, url: str, key: str) -> None:
        """`url` without /api/v1; `key`: an owner's API key."""
        self.url = url.rstrip("/")
        headers = {"X-Argilla-Api-Key": key}
        self._client = httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=120, trust_env=False)

    def __enter__(self) -> "Api":
        """Closed at the end of the `with`."""
        return self

    def __exit__(self, *error: object) -> None:
        """Give the connection back."""
        self._client.close()

    def call(self, method: str, path: str, body: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        """One request; the JSON of its answer. Raises ServiceError."""
        with sdk.speaking_to(self.url):
            answer = self._client.request(method, path, json=body, params=params)
            answer.raise_for_status()
            return answer.json() if answer.content else None

    def listed(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """The items of a list."""
        found: list[dict[str, Any]] = self.call("GET", path, params=params)["items"]
        return found


def move(source: Api, target: Api, passwords: Mapping[str, str], progress: Progress = silent) -> Moved:
    """Bring everything of `source` that `target` lacks. Raises InputError where a dataset there has other questions."""
    for side in (source, target):
        if side.call("GET", "/me")["role"] != "owner":
            raise InputError(f"the API key for {side.url} is not an owner's: only an owner sees everybody's answers.")
    if source.url == target.url:
        raise InputError(f"{source.url} is where the desk is: name another Argilla to move to.")
    people, made = _people(source, target, passwords)
    done = Moved(datasets=0, records=0, new_records=0, new_answers=0, people=len(made), without_password=[])
    done.without_password = [name for name in made if name not in passwords]
    for workspace in source.listed("/me/workspaces"):
        there = _workspace(source, target, workspace, people)
        for dataset in source.listed("/me/datasets", workspace_id=workspace["id"]):
            if dataset["status"] == "ready":
                copy = layout.copy(source, target, dataset, there)
                _records(source, target, dataset, copy, people, done, progress)
                done.datasets += 1
    return done


def _people(source: Api, target: Api, passwords: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Ids at the source -> ids at the target, and the names of those who were made there."""
    there = {user["username"]: user["id"] for user in target.listed("/users")}
    ids, made = {}, []
    for user in source.listed("/users"):
        name = user["username"]
        if name not in there:
            body = {key: user[key] for key in ("first_name", "last_name", "username") if user[key]}
            role = "admin" if user["role"] == "owner" else user["role"]  # who owns the target is not for us to say
            body |= {"role": role, "password": passwords.get(name) or secrets.token_urlsafe(24)}
            there[name] = target.call("POST", "/users", body)["id"]
            made.append(name)
        ids[user["id"]] = there[name]
    return ids, made


def _workspace(source: Api, target: Api, workspace: dict[str, Any], people: Mapping[str, str]) -> str:
    """The workspace of this name at the target, made when missing, with the same people in it; its id."""
    there = {one["name"]: one["id"] for one in target.listed("/me/workspaces")}
    name = workspace["name"]
    id_ = str(there.get(name) or target.call("POST", "/workspaces", {"name": name})["id"])
    seated = {user["id"] for user in target.listed(f"/workspaces/{id_}/users")}
    for user in source.listed(f"/workspaces/{workspace['id']}/users"):
        if people[user["id"]] not in seated:
            target.call("POST", f"/workspaces/{id_}/users", {"user_id": people[user["id"]]})
    return id_


def _records(
    source: Api,
    target: Api,
    dataset: dict[str, Any],
    copy: str,
    people: Mapping[str, str],
    done: Moved,
    progress: Progress,
) -> None:
    """Bring a dataset's records, and compare what both sides have of them at the end."""
    questions = layout.same_names(source, target, dataset["id"], copy)
    total = 0
    for total, offset, page in _pages(source, dataset["id"]):
        known = _known(target, copy, [_name(record) for record in page])
        items = [_item(record, known.get(_name(record)), questions, people) for record in page]
        new = [item for item in items if item]
        if new:
            target.call("PUT", f"/datasets/{copy}/records/bulk", {"items": new})
        done.records += len(page)
        done.new_records += sum("fields" in item for item in new)
        done.new_answers += sum(len(item["responses"]) for item in new)
        progress(dataset["name"], min(offset + _PAGE, total), total, f"{done.new_answers} answers new")
    there = target.call("GET", f"/datasets/{copy}/progress")["total"]
    if there < total:
        raise ServiceError(
            f"{target.url} has {there} of the {total} records of {dataset['name']!r} after the move: move again."
        )


def _pages(source: Api, dataset: str) -> Iterator[tuple[int, int, list[dict[str, Any]]]]:
    """(records in all, offset, records), the oldest first."""
    order = [{"scope": {"entity": "record", "property": name}, "order": "asc"} for name in ("inserted_at", "id")]
    total, offset = 1, 0
    while offset < total:
        params = {"limit": _PAGE, "offset": offset, "include": list(_WITH)}
        found = source.call("POST", f"/datasets/{dataset}/records/search", {"sort": order}, params)
        total = found["total"]
        if found["items"]:
            yield total, offset, [item["record"] for item in found["items"]]
        offset += _PAGE


def _known(target: Api, dataset: str, names: list[str]) -> dict[str, dict[str, datetime]]:
    """Of the records that are there: external id -> {person's id: when they answered}."""
    scope = {"entity": "record", "property": "external_id"}
    query = {"filters": {"and": [{"type": "terms", "scope": scope, "values": names}]}}
    params = {"limit": len(names), "include": ["responses"]}
    found = target.call("POST", f"/datasets/{dataset}/records/search", query, params)["items"]
    return {
        item["record"]["external_id"]: {r["user_id"]: _moment(r) for r in item["record"].get("responses") or ()}
        for item in found
    }


def _item(
    record: dict[str, Any],
    known: Mapping[str, datetime] | None,
    questions: Mapping[str, str],
    people: Mapping[str, str],
) -> dict[str, Any] | None:
    """What to write of a record; None when the target has it all. `known`: who answered there and when."""
    responses = [
        {"user_id": people[r["user_id"]], "status": r["status"], **({"values": r["values"]} if r["values"] else {})}
        for r in record.get("responses") or ()
        if known is None or _moment(r) > known.get(people[r["user_id"]], datetime.min)
    ]
    if known is not None:
        return {"external_id": _name(record), "responses": responses} if responses else None
    suggestions = [
        {
            "question_id": questions[s["question_id"]],
            **{k: s[k] for k in ("value", "score", "agent", "type") if s[k] is not None},
        }
        for s in record.get("suggestions") or ()
    ]
    return {
        "external_id": _name(record),
        "fields": record["fields"],
        "metadata": record["metadata"] or {},
        "vectors": record.get("vectors") or {},
        "suggestions": suggestions,
        "responses": responses,
    }


def _name(record: dict[str, Any]) -> str:
    """What a record is known by on both sides: its external id, else its id at the source."""
    return str(record["external_id"] or record["id"])


def _moment(response: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(response["updated_at"].removesuffix("Z"))
