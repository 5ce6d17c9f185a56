"""A desk's life: many hands at once, kill -9, deletions, webhooks, backup and restore, the move to another Argilla.

All on the real embedded server; what is moved to is a second one, which speaks the API that a team's Argilla speaks.
"""

import json
import shutil
import sqlite3
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from fixtures_argilla import WORKSPACE, RunningArgilla
from test_review_desk import FORM, LABELS, TEXTS, answer, board_with_records, everything_on, listener, record
from test_review_engine import STATUS, Served, condition, on_metadata

from records.errors import EnvironmentFault, InputError, ServiceError
from review import backup, people
from review.board import Board
from review.desk import Desk
from review.embedded import index
from review.form import choice_form
from review.move import Api, move

pytestmark = pytest.mark.real


def database(argilla: RunningArgilla) -> Path:
    return argilla.folder / "argilla/argilla.db"


def ask(argilla: RunningArgilla, statement: str, *values: Any) -> Any:
    """One value from the server's own database."""
    with closing(sqlite3.connect(database(argilla), timeout=60)) as db:
        return db.execute(statement, values).fetchone()[0]


def waited_for(holds: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.1)
    return holds()


def found(board: Board, words: str) -> set[str]:
    hits = board.desk.call("POST", f"/datasets/{board.id}/records/search", {"query": {"text": {"q": words}}})["items"]
    return {hit["record"]["external_id"] for hit in hits}


def many(board: Board, count: int, start: int = 0) -> None:
    ids = [f"n{n}" for n in range(start, start + count)]
    assert board.send([record(board.task, id_) for id_ in ids], {id_: f"Number {id_} of many" for id_ in ids})


def test_reviewers_who_answer_at_once_lose_nothing_while_more_arrives(desk: Desk, argilla: RunningArgilla):
    board = desk.ensure("crowd", FORM, "Read it.", LABELS, reviewers_per_document=2)
    many(board, 40)
    ids = [r["id"] for r in everything_on(board)]

    def review(who: int, records: list[str]) -> list[Any]:
        with people.sign_in(argilla.url, argilla.people.reviewers[who]) as client:
            items = []
            for id_ in records:
                body = {"record_id": id_, "status": "submitted", "values": {"answer": {"value": "nda"}}}
                said = client.post("/api/v1/me/responses/bulk", json={"items": [body]})
                items.append(said.json() if said.status_code != 200 else said.json()["items"][0]["error"])
            return items

    with ThreadPoolExecutor(5) as threads:  # both reviewers in two tabs each, and a round that is being sent
        sending = threads.submit(many, board, 60, 40)
        tabs = [threads.submit(review, who, ids[part::2]) for who in (0, 1) for part in (0, 1)]
        assert [error for tab in tabs for error in tab.result() if error] == []
        sending.result()
    assert board.progress() == (100, 40, 60, {"reviewer-1": 40, "reviewer-2": 40})
    assert len(board.fetch().corrections) == 80


def test_what_was_accepted_before_a_kill_in_a_bulk_write_is_there_and_can_be_found(
    desk: Desk, argilla: RunningArgilla, tmp_path: Path
):
    board = board_with_records(desk, "killed")
    accepted: list[str] = []

    def write() -> None:
        with Api(argilla.url, argilla.key) as api:
            for batch in range(200):
                names = [f"b{batch}-{n}" for n in range(25)]
                items = [{"external_id": name, "fields": {"document": f"zebra {name}"}} for name in names]
                try:
                    api.call("PUT", f"/datasets/{board.id}/records/bulk", {"items": items})
                except ServiceError:
                    return
                accepted.extend(names)

    writer = threading.Thread(target=write)
    writer.start()
    assert waited_for(lambda: len(accepted) >= 75)
    argilla.kill()
    writer.join()
    argilla.start()
    assert ask(argilla, "PRAGMA integrity_check") == "ok"
    whole = {r["external_id"] for r in _all(board)}
    assert set(accepted) <= whole and (len(whole) - len(TEXTS)) % 25 == 0
    query = {"query": {"text": {"q": "zebra"}}}
    searched = board.desk.call("POST", f"/datasets/{board.id}/records/search", query, {"limit": 1})
    assert searched["total"] == board.progress().total - len(TEXTS)
    now, anew = words_of(argilla, tmp_path / "now.db", False), words_of(argilla, tmp_path / "anew.db", True)
    assert now == anew and ("zebra", searched["total"]) in now


def words_of(argilla: RunningArgilla, copy: Path, anew: bool) -> list[Any]:
    """Every word in the server's index and the number of texts that have it, as it is or as a new one would have it."""
    with closing(sqlite3.connect(database(argilla), timeout=60)) as db, closing(sqlite3.connect(copy)) as to:
        db.backup(to)
        to.isolation_level = None
        if anew:
            index.build(to)
        to.execute("CREATE VIRTUAL TABLE temp.w USING fts5vocab(main, search_words, row)")
        return to.execute("SELECT term, doc FROM w ORDER BY term").fetchall()


def _all(board: Board) -> Iterator[dict[str, Any]]:
    for offset in range(0, board.progress().total, 500):
        params = {"limit": 500, "offset": offset}
        yield from board.desk.call("GET", f"/datasets/{board.id}/records", params=params)["items"]


def test_what_is_deleted_is_found_no_more_nor_is_a_word_of_it_kept(desk: Desk, argilla: RunningArgilla):
    board = board_with_records(desk, "deleted")
    parts = "SELECT count(*) FROM search_part WHERE record_id IN (SELECT id FROM records WHERE dataset_id = ?)"
    others = "SELECT count(*) FROM search_part WHERE record_id NOT IN (SELECT id FROM records)"
    id_ = board.id.replace("-", "")
    assert (found(board, "lease"), ask(argilla, parts, id_)) == ({"d0", "d3"}, 5)
    [d3] = [r["id"] for r in everything_on(board) if r["external_id"] == "d3"]
    desk.call("DELETE", f"/datasets/{board.id}/records", params={"ids": d3})
    assert (found(board, "lease"), board.progress().total) == ({"d0"}, 4)
    assert desk.call("PATCH", f"/records/{everything_on(board)[0]['id']}", {"fields": {"document": "A yacht."}})
    assert (found(board, "lease"), found(board, "yacht")) == (set(), {"d0"})
    desk.call("DELETE", f"/datasets/{board.id}")
    assert (ask(argilla, parts, id_), ask(argilla, others)) == (0, 0)
    assert ask(argilla, "SELECT count(*) FROM search_words WHERE search_words MATCH 'yacht'") == 0


def test_webhooks_tell_of_answers_and_of_completed_records_and_their_listener_may_call_back(
    desk: Desk, argilla: RunningArgilla
):
    board = board_with_records(desk, "hooks", reviewers=2)
    with listener(lambda: found(board, "lease")) as (url, heard):
        events = ["response.created", "response.updated", "record.completed", "record.deleted"]
        hook = desk.call("POST", "/webhooks", {"url": url, "events": events, "description": "all"})
        types = lambda: [event["type"] for event in heard]  # noqa: E731
        try:
            answer(argilla, board, 0, {"d1": {"answer": "lease"}})
            answer(argilla, board, 1, {"d1": {"answer": "nda"}})
            assert waited_for(lambda: sorted(types()) == ["record.completed", *["response.created"] * 2]), types()
            answer(argilla, board, 0, {"d1": {"answer": "claim"}})
            assert waited_for(lambda: "response.updated" in types()), types()
            desk.call("PATCH", f"/webhooks/{hook['id']}", {"enabled": False})
            before = len(heard)
            answer(argilla, board, 0, {"d2": {"answer": "claim"}})
            time.sleep(1)
            assert [e["type"] for e in heard[before:] if e["type"] != "record.completed"] == []
        finally:
            desk.call("DELETE", f"/webhooks/{hook['id']}")
    [completed, *_] = [event for event in heard if event["type"] == "record.completed"]
    assert completed["data"]["external_id"] == "d1" and completed["data"]["status"] == "completed"


def test_more_and_fewer_reviewers_are_applied_to_what_nobody_has_answered_and_refused_with_the_reason(desk: Desk):
    board = board_with_records(desk, "rules")
    desk.ensure("rules", FORM, "Read it.", LABELS, reviewers_per_document=3)
    assert desk.call("GET", f"/datasets/{board.id}")["distribution"]["min_submitted"] == 3
    with pytest.raises(ServiceError, match="min_submitted"):
        wrong = {"distribution": {"strategy": "overlap", "min_submitted": 0}}
        desk.call("PATCH", f"/datasets/{board.id}", wrong)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[RunningArgilla]:
    """A second Argilla, not started."""
    server = RunningArgilla(tmp_path)
    yield server
    server.stop()


def test_a_backup_taken_while_people_answer_is_restored_elsewhere_with_everything_in_it(
    desk: Desk, argilla: RunningArgilla, other: RunningArgilla, tmp_path: Path
):
    board = board_with_records(desk, "saved")
    answer(argilla, board, 0, {"d1": {"answer": "lease"}})
    before = everything_on(board)
    file = tmp_path / "backups/desk.zip"
    made = backup.make(argilla.folder / "argilla", file)
    answer(argilla, board, 0, {"d2": {"answer": "claim"}})  # after it: not in it
    assert file.stat().st_mode & 0o077 == 0 and [p.name for p in file.parent.iterdir()] == ["desk.zip"]
    with pytest.raises(InputError, match="exists already"):
        backup.make(argilla.folder / "argilla", file)
    with pytest.raises(EnvironmentFault, match="is running in"):
        backup.restore(argilla.folder / "argilla", file)

    done = backup.restore(other.folder / "argilla", file)
    assert done.manifest == made and done.before is None
    other.people = argilla.people
    other.start()
    restored = Desk.connect(other.url, other.key, WORKSPACE)
    again = restored.find("saved", FORM)
    assert again and everything_on(again) == before
    assert found(again, "lease") == {"d0", "d3"} and again.progress().submitted == {"reviewer-1": 1}
    with people.sign_in(other.url, argilla.people.reviewers[0]) as client:
        assert client.get("/api/v1/me").json()["username"] == "reviewer-1"
    restored.call("DELETE", f"/datasets/{again.id}")
    restored.close()
    other.stop()
    once_more = backup.restore(other.folder / "argilla", file)
    assert once_more.before and once_more.before.exists()
    with closing(sqlite3.connect(once_more.before)) as kept:
        assert kept.execute("SELECT count(*) FROM datasets WHERE name = 'saved'").fetchone() == (0,)
    assert ask(other, "SELECT count(*) FROM datasets WHERE name = 'saved'") == 1


def test_a_backup_of_another_release_or_a_damaged_one_is_refused_and_the_desk_left_alone(
    desk: Desk, argilla: RunningArgilla, tmp_path: Path
):
    good, home = tmp_path / "good.zip", tmp_path / "home"
    backup.make(argilla.folder / "argilla", good)
    backup.restore(home, good)
    whole = (home / "argilla.db").read_bytes()

    def rewritten(name: str, change: Callable[[bytes], bytes]) -> Path:
        bad = tmp_path / "bad.zip"
        with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w") as target:
            for part in source.namelist():
                target.writestr(part, change(source.read(part)) if part == name else source.read(part))
        return bad

    older = rewritten("manifest.json", lambda text: json.dumps(json.loads(text) | {"argilla": "2.7.0"}).encode())
    with pytest.raises(InputError, match=r"of Argilla 2\.7\.0, here is 2\.8\.0"):
        backup.restore(home, older)
    with pytest.raises(InputError, match=r"argilla\.db is not what was backed up"):
        backup.restore(home, rewritten("argilla.db", lambda data: data[:-1] + b"x"))
    with pytest.raises(InputError, match="lacks"):
        backup.restore(
            home, rewritten("manifest.json", lambda text: json.dumps({**json.loads(text), "files": {}}).encode())
        )
    (tmp_path / "no.zip").write_bytes(good.read_bytes()[:-30])
    with pytest.raises(InputError, match="not a whole one"):
        backup.restore(home, tmp_path / "no.zip")
    with pytest.raises(InputError, match="there is no desk in"):
        backup.make(tmp_path / "nowhere", tmp_path / "x.zip")
    assert (home / "argilla.db").read_bytes() == whole
    assert sorted(p.name for p in home.iterdir()) == ["argilla.db", "auth_secret", "lock"]
    shutil.rmtree(home)


@pytest.fixture
def everything(argilla: RunningArgilla) -> Iterator[Served]:
    """A dataset with every kind of question, vectors, and metadata of all kinds."""
    made = Served(argilla)
    yield made
    made.close()


def test_a_move_brings_everybodys_answers_once_and_later_only_what_is_new(
    desk: Desk, argilla: RunningArgilla, other: RunningArgilla, everything: Served
):
    board = board_with_records(desk, "moving", reviewers=2)
    answer(argilla, board, 0, {"d1": {"answer": "lease"}, "d2": {"answer": "claim"}})
    answer(argilla, board, 1, {"d1": {"answer": "nda"}})
    answer(argilla, board, 1, {"d2": None}, status="discarded")
    answer(argilla, board, 1, {"d3": {"answer": "nda"}}, status="draft")
    people.ensure(desk, [people.Account(username="carla", password="not-known-there")])
    other.start()
    passwords = {one.username: one.password for one in argilla.people.reviewers}

    def moved() -> Any:
        with Api(argilla.url, argilla.key) as source, Api(other.url, other.key) as target:
            return move(source, target, passwords)

    there = Desk.connect(other.url, other.key, WORKSPACE)
    workspace = str(there.client.workspaces(WORKSPACE).id)
    there.call("POST", "/datasets", {"name": "moving", "workspace_id": workspace})  # as a killed move leaves it
    first, again = moved(), moved()
    assert (again.new_records, again.new_answers, again.people, again.datasets) == (0, 0, 0, first.datasets)
    assert first.new_records == first.records >= 11 and "carla" in first.without_password
    copy = there.find("moving", FORM)
    assert copy and copy.progress() == board.progress()
    assert told(copy) == told(board)
    assert found(copy, "lease") == {"d0", "d3"}
    _same(everything, other, there)

    answer(argilla, board, 0, {"d4": {"answer": "nda"}, "d1": {"answer": "claim"}})  # new, and changed at the source
    other.people = argilla.people.model_copy(update={"owner": other.people.owner})
    answer(other, copy, 1, {"d1": {"answer": "lease"}})  # changed at the target: stays
    later = moved()
    assert (later.new_records, later.new_answers) == (0, 2)
    answers = {(c.document_id, c.reviewer): c.value for c in copy.fetch().corrections}
    assert answers["d1", "reviewer-1"] == "claim" and answers["d1", "reviewer-2"] == "lease"
    assert answers["d4", "reviewer-1"] == "nda" and answers["d2", "reviewer-2"] is None
    clash = desk.ensure("clash", FORM, "Read it.")
    there.ensure("clash", choice_form({"yes": "", "no": ""}), "Read it.")
    with pytest.raises(InputError, match="'clash' that asks something else"):
        moved()
    desk.call("DELETE", f"/datasets/{clash.id}")
    there.close()


def told(board: Board) -> list[Any]:
    """All that a board holds, less the ids and times that a move cannot keep."""
    names = {u["id"]: u["username"] for u in board.desk.call("GET", "/users")["items"]}
    return [
        (
            r["external_id"],
            r["status"],
            r["fields"],
            r["metadata"],
            sorted((names[a["user_id"]], a["status"], str(a["values"])) for a in r["responses"]),
            sorted((s["value"], s["score"], s["agent"], s["type"]) for s in r["suggestions"]),
        )
        for r in everything_on(board)
    ]


def _same(here: Served, other: RunningArgilla, there: Desk) -> None:
    """The dataset with every kind of question, asked the same on both sides."""
    workspace = str(there.client.workspaces(WORKSPACE).id)
    listed = there.call("GET", "/me/datasets", params={"workspace_id": workspace})["items"]
    [id_] = [d["id"] for d in listed if d["name"] == "engine"]
    for body in (
        {"query": {"vector": {"name": "meaning", "value": [1.0, 0.0, 0.0]}}},
        {"filters": {"and": [condition(on_metadata("kind"), values=["letter"])]}},
        {"filters": {"and": [condition(STATUS, values=["pending"])]}},
    ):
        found_there = there.call("POST", f"/datasets/{id_}/records/search", body)["items"]
        assert [i["record"]["external_id"] for i in found_there] == list(here.found(**body))
    values = []
    for api in (here.call, there.call):
        dataset = here.id if api == here.call else id_
        params = {"include": ["responses", "suggestions", "vectors"], "limit": 100}
        records = api("GET", f"/datasets/{dataset}/records", params=params)["items"]
        values.append(
            [(r["external_id"], r["vectors"], sorted(str(a["values"]) for a in r["responses"])) for r in records]
        )
    assert sorted(values[0], key=str) == sorted(values[1], key=str)


def test_a_move_is_refused_where_it_cannot_be_right(desk: Desk, argilla: RunningArgilla):
    with Api(argilla.url, argilla.key) as source:
        with pytest.raises(InputError, match="is where the desk is"):
            move(source, source, {})
        with pytest.raises(ServiceError, match="does not know this API key"), Api(argilla.url, "wrong") as nobody:
            move(source, nobody, {})
        with people.sign_in(argilla.url, argilla.people.reviewers[0]) as client:
            key = client.get("/api/v1/me").json()["api_key"]
        with pytest.raises(InputError, match="not an owner's"), Api(argilla.url, key) as annotator:
            move(source, annotator, {})
    assert httpx.get(f"{argilla.url}/api/v1/status", trust_env=False).status_code == 200
