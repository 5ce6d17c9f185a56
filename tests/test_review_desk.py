"""The review desk on the real thing: Argilla embedded, its own API and SDK, two reviewers, kill -9 in between.

One server for the session (see fixtures_argilla); each test has a board of its own.
"""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fixtures_argilla import WORKSPACE, RunningArgilla, free_port

from evaluation.people_agreement import people_agreement
from records.errors import InputError, ServiceError
from records.types import Answer, Correction, DeskRecord
from review import people, scripted, sdk
from review.board import Board
from review.desk import Desk
from review.form import choice_form, json_form

pytestmark = pytest.mark.real

LABELS = {"lease": "Renting premises", "nda": "Confidentiality agreements", "claim": "Somebody wants money"}
FORM = choice_form(LABELS)
TEXTS = {
    "d0": "The landlord asks for the renewal of our office lease.",
    "d1": "Please sign the confidentiality agreement before the meeting.",
    "d2": "They demand payment of 4,000 euros and threaten to sue.",
    "d3": "Lease renewal and a claim for damages in one letter.",
    "d4": "Another confidentiality agreement, this time with <b>Bolt</b> <legal@bolt.example>.",
}
GOLD: dict[str, Answer] = {"d0": "lease", "d1": "nda", "d2": "claim", "d3": "lease", "d4": "nda"}


def record(task: str, id_: str, suggestion: Answer | None = "nda", score: float | None = 0.5) -> DeskRecord:
    """A record; d0 is of the test split, hence blind."""
    if id_ == "d0":
        return DeskRecord(task=task, document_id=id_, round=1, reason="test set", blind=True)
    reason = "model unsure"
    return DeskRecord(
        task=task, document_id=id_, round=1, reason=reason, blind=False, suggestion=suggestion, score=score
    )


def board_with_records(desk: Desk, task: str, reviewers: int = 1) -> Board:
    board = desk.ensure(task, FORM, "Read it.", LABELS, reviewers_per_document=reviewers)
    records = [record(task, id_, score=i / 10) for i, id_ in enumerate(TEXTS)]
    assert board.send(records, TEXTS) == (5, 0)
    return board


def everything_on(board: Board) -> Any:
    """The board's records with all that Argilla has on them, times included."""
    found = board.desk.call("GET", f"/datasets/{board.id}/records", params={"include": ["responses", "suggestions"]})
    return sorted(found["items"], key=lambda r: r["external_id"])


def answer(
    argilla: RunningArgilla, board: Board, who: int, given: dict[str, dict[str, Any] | None], status: str = "submitted"
) -> None:
    """Answer as a reviewer would in the UI. `given`: document id -> question -> value."""
    ids = {r["external_id"]: r["id"] for r in everything_on(board)}
    with people.sign_in(argilla.url, argilla.people.reviewers[who]) as client:
        for document_id, values in given.items():
            body: dict[str, Any] = {"record_id": ids[document_id], "status": status}
            if values is not None:
                body["values"] = {name: {"value": value} for name, value in values.items()}
            [item] = client.post("/api/v1/me/responses/bulk", json={"items": [body]}).json()["items"]
            assert item["error"] is None, item


def said(corrections: list[Correction]) -> dict[tuple[str, str], Any]:
    return {(c.document_id, c.reviewer): c.value for c in corrections}


def test_a_record_carries_its_suggestion_and_why_it_is_there_but_a_test_document_nothing_that_leads(desk: Desk):
    board = board_with_records(desk, "carries")
    records = {r["external_id"]: r for r in everything_on(board)}
    assert records["d0"]["metadata"] == {"round": 1, "reason": "test set"}
    assert records["d0"]["suggestions"] == []
    [suggestion] = records["d3"]["suggestions"]
    assert (suggestion["value"], suggestion["score"], suggestion["agent"]) == ("nda", 0.3, "teacher")
    assert records["d3"]["metadata"] == {"round": 1, "reason": "model unsure", "confidence": 0.3}
    assert records["d4"]["fields"]["document"].endswith("with <\u2060b>Bolt<\u2060/b> <\u2060legal@bolt.example>.")


def test_reviewers_read_the_guidelines_with_the_labels_and_an_edit_arrives(desk: Desk):
    board = board_with_records(desk, "guided")
    guidelines = desk.call("GET", f"/datasets/{board.id}")["guidelines"]
    assert guidelines.startswith("Read it.") and "- **claim**: Somebody wants money" in guidelines
    again = desk.ensure("guided", FORM, "Read it twice.", LABELS, reviewers_per_document=2)
    now = desk.call("GET", f"/datasets/{board.id}")
    assert again.id == board.id
    assert now["guidelines"].startswith("Read it twice.") and now["distribution"]["min_submitted"] == 2


def test_sending_twice_changes_nothing_not_even_where_people_answered(desk: Desk, argilla: RunningArgilla):
    board = board_with_records(desk, "twice")
    answer(argilla, board, 0, {"d1": {"answer": "lease"}})
    before = everything_on(board)
    assert board.send([record("twice", id_, "claim", 0.9) for id_ in TEXTS], TEXTS) == (0, 5)
    assert everything_on(board) == before
    more = TEXTS | {"d5": "A new one."}
    assert board.send([record("twice", id_) for id_ in more], more) == (1, 5)


def test_nothing_is_sent_when_a_document_has_no_text(desk: Desk):
    board = desk.ensure("empty", FORM, "")
    with pytest.raises(InputError, match="1 documents have no text, the first is d2"):
        board.send([record("empty", "d1"), record("empty", "d2")], {"d1": "text", "d2": " "})
    assert board.progress() == (0, 0, 0, {})


def test_two_reviewers_answer_with_a_kill_in_between_and_their_disagreement_is_kept(argilla: RunningArgilla):
    desk = Desk.connect(argilla.url, argilla.key, WORKSPACE)
    board = board_with_records(desk, "circle", reviewers=2)
    first = scripted.review(argilla.url, argilla.people.reviewers[0], "circle", FORM, GOLD, error_rate=0.0)
    assert first == (5, 0, 0)
    fetched = board.fetch()
    assert board.fetch(fetched.cursor) == ([], [], fetched.cursor)
    session = people.sign_in(argilla.url, argilla.people.reviewers[1])
    before = everything_on(board)

    argilla.kill()
    with pytest.raises(ServiceError, match=f"{argilla.url} does not answer"):
        board.fetch()
    argilla.start()

    assert everything_on(board) == before
    with session:  # signed in before the kill, and still
        assert session.get("/api/v1/me").json()["username"] == "reviewer-2"
    assert board.send([record("circle", id_) for id_ in TEXTS], TEXTS) == (0, 5)
    answer(argilla, board, 1, {"d0": {"answer": "lease"}, "d1": {"answer": "claim"}})
    answer(argilla, board, 1, {"d2": None}, status="discarded")

    later = board.fetch(fetched.cursor)
    new = {key: value for key, value in said(later.corrections).items() if key[1] == "reviewer-2"}
    assert new == {("d0", "reviewer-2"): "lease", ("d1", "reviewer-2"): "claim", ("d2", "reviewer-2"): None}
    everything = board.fetch()
    assert len(everything.corrections) == 8 and everything.faults == []
    assert [c.document_id for c in everything.corrections if c.discarded] == ["d2"]
    assert {c.document_id: c.suggestion for c in everything.corrections}["d0"] is None
    numbers = people_agreement(everything.corrections)
    assert (numbers.whole.units, numbers.whole.agreed, numbers.discarded) == (2, 1, 1)
    assert board.progress() == (5, 2, 3, {"reviewer-1": 5, "reviewer-2": 2})
    desk.close()


def test_an_edited_answer_comes_again_with_its_new_value(desk: Desk, argilla: RunningArgilla):
    board = board_with_records(desk, "edited")
    answer(argilla, board, 0, {"d1": {"answer": "lease"}})
    before = board.fetch()
    answer(argilla, board, 0, {"d1": {"answer": "claim"}})
    after = board.fetch(before.cursor)
    assert said(before.corrections) == {("d1", "reviewer-1"): "lease"}
    assert said(after.corrections) == {("d1", "reviewer-1"): "claim"}
    assert after.corrections[0].answered_at > before.corrections[0].answered_at


def test_a_draft_is_no_answer_yet(desk: Desk, argilla: RunningArgilla):
    board = board_with_records(desk, "drafted")
    answer(argilla, board, 0, {"d1": {"answer": "lease"}}, status="draft")
    assert board.fetch().corrections == []


def test_an_unreadable_answer_is_reported_and_correcting_it_makes_it_an_answer(desk: Desk, argilla: RunningArgilla):
    schema = {
        "type": "object",
        "properties": {"days": {"type": "integer"}, "tags": {"type": "array", "items": {"enum": ["a", "b"]}}},
        "required": ["days", "tags"],
    }
    board = desk.ensure("facts", json_form(schema), "Write what it says.")
    board.send([record("facts", "d1", {"days": 30, "tags": ["a", "b"]}, 0.4)], TEXTS)
    answer(argilla, board, 0, {"d1": {"days": "thirty", "tags": ["b"]}})
    [fault] = board.fetch().faults
    assert (fault.document_id, fault.reviewer, fault.submitted["days"]) == ("d1", "reviewer-1", "thirty")
    assert fault.error == "days: 'thirty' is not a whole number"
    answer(argilla, board, 0, {"d1": {"days": "30"}})
    fetched = board.fetch()
    assert said(fetched.corrections) == {("d1", "reviewer-1"): {"days": 30, "tags": []}} and not fetched.faults
    assert fetched.corrections[0].suggestion == {"days": 30, "tags": ["a", "b"]}


def test_the_scripted_reviewer_goes_on_where_it_stopped_and_leaves_what_it_does_not_know(
    desk: Desk, argilla: RunningArgilla
):
    board = board_with_records(desk, "scripted")
    who = argilla.people.reviewers[0]
    gold = {k: v for k, v in GOLD.items() if k != "d2"}
    assert scripted.review(argilla.url, who, "scripted", FORM, gold, 0.0, limit=2).answered == 2
    assert scripted.review(argilla.url, who, "scripted", FORM, gold, 0.0) == (2, 0, 1)
    assert scripted.review(argilla.url, who, "scripted", FORM, gold, 0.0) == (0, 0, 1)
    assert said(board.fetch().corrections) == {(k, who.username): v for k, v in gold.items()}


def test_the_scripted_reviewer_looks_at_every_item_of_a_bulk_answer(desk: Desk, argilla: RunningArgilla):
    board_with_records(desk, "refused")
    foreign = choice_form({"lease": "", "unheard_of": ""})
    with pytest.raises(ServiceError, match=r"refused 5 of 5 answers; the first: .*unheard_of"):
        scripted.review(argilla.url, argilla.people.reviewers[0], "refused", foreign, dict.fromkeys(GOLD, "unheard_of"))
    with pytest.raises(InputError, match="sees no board 'nowhere'"):
        scripted.review(argilla.url, argilla.people.reviewers[0], "nowhere", FORM, GOLD)


def test_filters_sort_and_text_search_work_through_argillas_own_sdk(desk: Desk, argilla: RunningArgilla):
    board = board_with_records(desk, "searched", reviewers=2)
    answer(argilla, board, 0, {"d1": {"answer": "lease"}, "d2": {"answer": "claim"}})
    rg = sdk.load()
    dataset = desk.client.datasets(name="searched", workspace=WORKSPACE)

    def ids(query: Any) -> list[str]:
        return [r.id for r in dataset.records(query=query)]

    def by(*condition: Any) -> set[str]:
        return set(ids(rg.Query(filter=rg.Filter([condition]))))

    assert set(ids("confidentiality agreement")) == {"d1", "d4"}
    assert set(ids(rg.Query(query="lease -claim"))) == {"d0"}
    assert ids("nowhere") == []
    assert by("metadata.reason", "==", "test set") == {"d0"}
    assert by("metadata.confidence", ">=", 0.3) == {"d3", "d4"}
    assert by("answer.suggestion", "==", "nda") == {"d1", "d2", "d3", "d4"}
    assert by("answer.score", "<=", 0.2) == {"d1", "d2"}
    assert by("answer.response", "==", "claim") == {"d2"}
    assert by("response.status", "==", "submitted") == {"d1", "d2"}
    assert by("response.status", "==", "pending") == {"d0", "d3", "d4"}
    assert by("status", "==", "completed") == set()
    assert by("id", "in", ["d0", "d4"]) == {"d0", "d4"}


@pytest.mark.parametrize(
    ("scope", "order", "expected"),
    [
        ({"entity": "metadata", "metadata_property": "confidence"}, "asc", "d1 d2 d3 d4 d0"),
        ({"entity": "suggestion", "question": "answer", "property": "score"}, "desc", "d4 d3 d2 d1 d0"),
        ({"entity": "response", "property": "status"}, "desc", "d2 d1 d0 d3 d4"),
        ({"entity": "record", "property": "inserted_at"}, "desc", "d4 d3 d2 d1 d0"),
        (None, None, None),
    ],
)
def test_reviewers_sort_their_queue_as_they_like_and_else_have_one_stable_order_each(
    sorted_board: Board, argilla: RunningArgilla, scope: dict[str, str] | None, order: str, expected: str | None
):
    def queue(who: int) -> list[str]:
        body = {"sort": [{"scope": scope, "order": order}]} if scope else {}
        with people.sign_in(argilla.url, argilla.people.reviewers[who]) as client:
            found = client.post(f"/api/v1/me/datasets/{sorted_board.id}/records/search", json=body).json()
        return [item["record"]["external_id"] for item in found["items"]]

    assert queue(0) == (expected.split() if expected else queue(0))
    assert sorted(queue(1)) == list(TEXTS)


@pytest.fixture(scope="module")
def sorted_board(argilla: RunningArgilla) -> Iterator[Board]:
    desk = Desk.connect(argilla.url, argilla.key, WORKSPACE)
    board = board_with_records(desk, "sorted")
    answer(argilla, board, 0, {"d1": {"answer": "nda"}}, status="draft")
    answer(argilla, board, 0, {"d2": {"answer": "nda"}})
    yield board
    desk.close()


def test_the_ui_is_told_what_a_metadata_filter_offers(desk: Desk):
    board = board_with_records(desk, "metrics")
    properties = desk.call("GET", f"/me/datasets/{board.id}/metadata-properties")["items"]
    offered = {p["name"]: desk.call("GET", f"/metadata-properties/{p['id']}/metrics") for p in properties}
    assert (offered["confidence"]["min"], offered["confidence"]["max"]) == (0.1, 0.4)
    assert offered["reason"]["values"] == [{"term": "model unsure", "count": 4}, {"term": "test set", "count": 1}]


def test_fewer_reviewers_than_before_completes_what_has_enough_answers(desk: Desk, argilla: RunningArgilla):
    board = board_with_records(desk, "fewer", reviewers=2)
    answer(argilla, board, 0, {"d1": {"answer": "lease"}})
    assert board.progress().completed == 0
    desk.ensure("fewer", FORM, "Read it.", LABELS, reviewers_per_document=1)  # applied by a job in the server
    end = time.monotonic() + 15
    while board.progress().completed < 1 and time.monotonic() < end:
        time.sleep(0.1)
    assert board.progress().completed == 1


@contextmanager
def listener(callback: Any) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook's receiver that calls back into the desk before it answers."""
    heard: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            callback()
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", heard
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_hears_of_an_answer_and_may_call_back_meanwhile(desk: Desk, argilla: RunningArgilla):
    board = board_with_records(desk, "hooked")
    with listener(board.progress) as (url, heard):
        hook = desk.call("POST", "/webhooks", {"url": url, "events": ["response.created"], "description": "test"})
        try:
            answer(argilla, board, 0, {"d1": {"answer": "lease"}})
            end = time.monotonic() + 15
            while not heard and time.monotonic() < end:
                time.sleep(0.1)
        finally:
            desk.call("DELETE", f"/webhooks/{hook['id']}")
    assert heard and heard[0]["type"] == "response.created"
    assert heard[0]["data"]["values"] == {"answer": {"value": "lease"}}


def test_a_board_made_for_other_labels_is_refused_and_left_alone(desk: Desk):
    board = board_with_records(desk, "other")
    with pytest.raises(InputError, match="was made for other questions or labels"):
        desk.ensure("other", choice_form({"lease": "", "new": ""}), "Read it.")
    assert len(everything_on(board)) == 5


def test_a_board_left_half_made_by_a_kill_is_made_anew(desk: Desk):
    workspace = str(desk.client.workspaces(WORKSPACE).id)
    desk.call("POST", "/datasets", {"name": "half", "workspace_id": workspace})
    assert desk.find("half", FORM) is None
    assert desk.ensure("half", FORM, "Read it.").progress().total == 0


def test_a_reviewers_lost_password_is_set_anew_and_nobody_is_added_twice(desk: Desk, argilla: RunningArgilla):
    ben = people.Account(username="ben", password="first-password")
    people.ensure(desk, [ben])
    changed = people.Account(username="ben", password="second-password")
    people.ensure(desk, [changed, changed])
    assert people.can_sign_in(argilla.url, changed) and not people.can_sign_in(argilla.url, ben)
    with pytest.raises(ServiceError, match="does not take the password of 'ben'"):
        people.sign_in(argilla.url, ben)


def test_a_wrong_key_and_a_dead_desk_are_told_in_one_sentence(argilla: RunningArgilla):
    with pytest.raises(ServiceError, match=r"refused \(HTTP 401\): it does not know this API key") as error:
        Desk.connect(argilla.url, "wrong-key-hunter2", WORKSPACE)
    assert "hunter2" not in str(error.value)
    nobody = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ServiceError, match=f"{nobody} does not answer .*is it running"):
        Desk.connect(nobody, argilla.key, WORKSPACE)


def test_a_reviewer_cannot_do_what_the_owner_does(argilla: RunningArgilla):
    with people.sign_in(argilla.url, argilla.people.reviewers[0]) as client:
        assert client.get("/api/v1/users").status_code == 403


def test_the_server_listens_on_loopback_and_tells_who_it_is(argilla: RunningArgilla):
    status = httpx.get(f"{argilla.url}/api/v1/status", trust_env=False).json()
    assert (status["version"], status["search_engine"]["name"]) == ("2.8.0", "embedded")
    log = (argilla.folder / "argilla.log").read_text()
    assert argilla.people.owner.password not in log and argilla.key not in log
