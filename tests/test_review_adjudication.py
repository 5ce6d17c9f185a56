"""Disputes before a lead: what is sent, what the lead reads, what settles; and all of it on a real Argilla."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fixtures_argilla import WORKSPACE, RunningArgilla
from fixtures_flows import arrive, people_say, texts
from task_folders import FIELDS, make_task, write_task

from flows import second_looks as steps
from flows.collect import fetch_answers
from flows.context import Context, find_task, workplace
from flows.desk import WORKSPACE as SAME_WORKSPACE
from flows.desk import form_of, open_desk
from flows.doubts import doubt_answers
from flows.settings import Settings
from prompts.task import Task
from records import corrections, desk_log, library, second_looks
from records.errors import InputError
from records.progress import silent
from records.second_looks import Queue, SecondAnswer, SecondLook
from records.types import Answer, Correction, DeskRecord, Document, Split, now
from review import adjudication, parts, people, plain, readings
from review.adjudication import DIFFER, DOUBTED, Case
from review.desk import Desk


def said(*answers: Answer, document: str = "d") -> list[Correction]:
    return [
        Correction(task="mail", document_id=document, reviewer=f"r{n}", value=answer, answered_at=now())
        for n, answer in enumerate(answers)
    ]


def look(case: Case) -> SecondLook:
    return SecondLook(
        task="mail", document_id=case.document_id, queue=Queue.adjudication, reason=case.reason, said=case.said
    )


def decision(
    document: Document, value: Answer | None, minutes: int = 0, queue: Queue = Queue.adjudication
) -> SecondAnswer:
    return SecondAnswer(
        task=document.task,
        document_id=document.id,
        queue=queue,
        reviewer="owner",
        value=value,
        discarded=value is None,
        answered_at=now() + timedelta(minutes=minutes),
    )


# --- what the lead reads


def test_a_lead_reads_how_many_said_what_and_not_who():
    [case] = adjudication.disputes({"d": said("lease", "debt", "lease")}).values()
    assert adjudication.told(case) == "2 reviewers: lease\n1 reviewer: debt"
    assert "r0" not in adjudication.told(case)


def test_of_an_object_only_the_fields_that_differ_are_told_and_the_others_are_known():
    rows = said({"party": "Anna", "amount": 5}, {"party": "Anna GmbH", "amount": 5}, {"party": "Anna"})
    case = adjudication.disputes({"d": rows})["d"]
    assert adjudication.told(case) == (
        "party\n2 reviewers: Anna\n1 reviewer: Anna GmbH\n\namount\n2 reviewers: 5\n1 reviewer: (nothing)"
    )
    assert adjudication.alike(case.said) == {}
    assert adjudication.alike([{"party": "Anna", "amount": 5}, {"party": "Bo", "amount": 5}]) == {"amount": 5}
    assert adjudication.alike(["lease", "lease"]) == {}


# --- what is sent and taken back


def test_a_dispute_is_sent_once_and_taken_back_when_it_ended_or_changed():
    cases = adjudication.disputes({"a": said("x", "y", document="a"), "b": said("x", "z", document="b")})
    fresh, stale = adjudication.plan(cases, {}, set())
    assert ([c.document_id for c in fresh], stale) == (["a", "b"], [])
    sent = {i: look(case) for i, case in cases.items()}
    assert adjudication.plan(cases, sent, set()) == ([], [])
    changed = adjudication.disputes({"b": said("y", "z", document="b")})
    fresh, stale = adjudication.plan(changed, sent, set())
    assert ([c.document_id for c in fresh], stale) == (["b"], ["a", "b"])


def test_what_a_lead_decided_and_what_was_doubted_stays_on_the_board():
    case, doubt = Case(document_id="a", reason=DIFFER, said=["x", "y"]), adjudication.doubted("b", said("x"))
    assert doubt.reason == DOUBTED
    sent = {"a": look(case), "b": look(doubt)}
    assert adjudication.plan({}, sent, {"a"}) == ([], [])
    assert adjudication.plan({"a": case}, {}, {"a"}) == ([], [])


def test_second_readings_are_a_random_sample_of_what_has_rested_and_the_same_each_time():
    settled = {f"d{n}": now() - timedelta(hours=n) for n in range(200)}
    first = readings.chosen(settled, (), 30, now())
    assert len(first) == 30 and all(int(i[1:]) >= 24 for i in first)
    assert readings.chosen(dict(reversed(settled.items())), (), 30, now()) == first
    more = readings.chosen(settled, first, 40, now())
    assert len(more) == 10 and not set(more) & set(first)
    late = sum(int(i[1:]) >= 112 for i in readings.chosen(settled, (), 88, now()))
    assert 30 <= late <= 58  # half of the 176 that rested are older than 112 hours


# --- what settles


def test_a_leads_decision_settles_a_dispute_and_a_reviewers_later_change_leaves_it(tmp_path: Path, context: Context):
    task = make_task(tmp_path / "mail")
    [document] = arrive(context, task, *texts(Split.train, 1))
    people_say(context, task, {document.id: "lease"}, "ann")
    people_say(context, task, {document.id: "debt"}, "ben")
    assert corrections.settled(context.store, "mail").gold == {}
    first = decision(document, "privacy", 1)
    assert [second_looks.save(context.store, [first]) for _ in range(2)] == [1, 0]
    assert second_looks.save(context.store, [decision(document, "privacy", 3)]) == 0, "said again is not said anew"
    assert corrections.settled(context.store, "mail")[:2] == ({document.id: "privacy"}, {})
    people_say(context, task, {document.id: "lease"}, "ben", minutes=5)
    assert corrections.settled(context.store, "mail").gold == {document.id: "privacy"}
    decided = second_looks.decisions(context.store, "mail")
    assert steps.overtaken(corrections.all(context.store, "mail"), decided) == {document.id}
    second_looks.save(context.store, [decision(document, "lease", 9)])
    assert corrections.settled(context.store, "mail").gold == {document.id: "lease"}
    kept = [a.value for a in second_looks.answers(context.store, "mail", Queue.adjudication)]
    assert kept == ["privacy", "lease"], "no decision is overwritten"


def test_what_a_lead_discards_is_neither_gold_nor_disputed_and_a_second_reading_settles_nothing(
    tmp_path: Path, context: Context
):
    task = make_task(tmp_path / "mail")
    one, other = arrive(context, task, *texts(Split.train, 2))
    for who, answer in (("ann", "lease"), ("ben", "debt")):
        people_say(context, task, {one.id: answer}, who)
    people_say(context, task, {other.id: "debt"}, "ann")
    second_looks.save(context.store, [decision(one, None), decision(other, "lease", 1, Queue.reading)])
    assert corrections.settled(context.store, "mail")[:2] == ({other.id: "debt"}, {})


# --- on the real desk


@pytest.fixture
def on_desk(tmp_path: Path, argilla: RunningArgilla) -> Iterator[Context]:
    """A workplace whose desk is the running Argilla, as the embedded one of this home."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(argilla.folder / "credentials.json", home / "credentials.json")
    chosen = Settings(home=home, argilla_port=argilla.port, store_url="", argilla_url="", _env_file=None)
    with workplace(silent, chosen) as context:
        yield context


def sent_to(context: Context, task: Task, *records: DeskRecord) -> None:
    """Put these documents on the desk as `label` does."""
    from flows.placing import by_board

    form, shown = form_of(task), {r.document_id: f"Text of {r.document_id}" for r in records}
    with open_desk(context) as desk:
        main = desk.ensure(task.name, form, "", None, task.review.reviewers_per_document)
        for board, some in by_board(desk, task, main, records, form, {}):
            board.send(some, shown)
        desk_log.record(context.store, records)


def record(task: Task, document: Document) -> DeskRecord:
    test = document.split is Split.test
    return DeskRecord(
        task=task.name, document_id=document.id, round=1, reason="test set" if test else "model unsure", blind=test
    )


def answered(
    context: Context, who: httpx.Client, name: str, given: dict[str, dict[str, Any]], workspace: str = WORKSPACE
) -> dict[str, Any]:
    """Answer on a board as this person; the records as the board has them."""
    with open_desk(context, workspace) as desk:
        board = {d["name"]: d["id"] for d in desk.call("GET", "/me/datasets")["items"]}[name]
        items = desk.call("GET", f"/datasets/{board}/records", params={"include": ["suggestions"]})["items"]
    records = {r["external_id"]: r for r in items}
    for document_id, values in given.items():
        body = {"record_id": records[document_id]["id"], "status": "submitted"}
        body["values"] = {key: {"value": value} for key, value in values.items()}
        [item] = who.post("/api/v1/me/responses/bulk", json={"items": [body]}).json()["items"]
        assert item["error"] is None, item
    return records


def boards_of(client: httpx.Client) -> set[str]:
    return {d["name"] for d in client.get("/api/v1/me/datasets").json()["items"]}


@pytest.mark.real
def test_two_reviewers_differ_a_lead_decides_and_it_is_gold(tmp_path: Path, on_desk: Context, argilla: RunningArgilla):
    rules = {"reviewers_per_test_document": 2, "leads": ["maria", "reviewer-1"]}
    task = make_task(tmp_path / "mail", name="decided", review=rules)
    test = arrive(on_desk, task, *texts(Split.test, 2))
    [train] = arrive(on_desk, task, *texts(Split.train, 1))
    sent_to(on_desk, task, *(record(task, d) for d in [*test, train]))
    ann, ben = (people.sign_in(argilla.url, who) for who in argilla.people.reviewers)
    assert {"decided", "decided-test"} <= boards_of(ann)
    answered(on_desk, ann, "decided-test", {test[0].id: {"answer": "lease"}, test[1].id: {"answer": "debt"}})
    answered(on_desk, ben, "decided-test", {test[0].id: {"answer": "debt"}, test[1].id: {"answer": "privacy"}})
    answered(on_desk, ann, "decided", {train.id: {"answer": "lease"}})

    first = fetch_answers(on_desk, task, "never")
    assert (first.changed, first.disputed, first.again.waiting, first.corrected) == (5, 2, 2, 1)
    assert corrections.settled(on_desk.store, task.name).gold == {train.id: "lease"}
    maria = next(a for a in people.read(on_desk.settings.home / "credentials.json").leads if a.username == "maria")
    with people.sign_in(argilla.url, maria) as lead:
        assert boards_of(lead) == {"decided-adjudication"}, "a lead sees the disputes and nothing else"
        assert "decided-adjudication" in boards_of(ann) and "decided-adjudication" not in boards_of(ben)
        shown = answered(on_desk, lead, "decided-adjudication", {}, steps.LEADS)
        assert shown[test[0].id]["fields"]["said"] == "1 reviewer: debt\n1 reviewer: lease"
        assert shown[test[0].id]["suggestions"] == [] and shown[test[0].id]["metadata"]["reason"] == DIFFER

        answered(on_desk, ben, "decided-test", {test[1].id: {"answer": "debt"}})  # they agree after all
        answered(on_desk, lead, "decided-adjudication", {test[0].id: {"answer": "privacy"}}, steps.LEADS)
        second = fetch_answers(on_desk, task, "never")
    assert (second.disputed, second.again.waiting, second.again.decided) == (0, 0, 1)
    assert set(answered(on_desk, ben, "decided-adjudication", {}, steps.LEADS)) == {test[0].id}, "taken back"
    gold = {test[0].id: "privacy", test[1].id: "debt", train.id: "lease"}
    assert corrections.settled(on_desk.store, task.name).gold == gold

    answered(on_desk, ben, "decided-test", {test[0].id: {"answer": "lease"}})
    third = fetch_answers(on_desk, task, "never")
    assert (third.changed, third.again.overtaken, third.again.decided) == (1, 1, 1)
    assert corrections.settled(on_desk.store, task.name).gold == gold
    assert "the lead's decision stands" in third.text
    assert fetch_answers(on_desk, task, "never").changed == 0
    ann.close()
    ben.close()


@pytest.mark.real
def test_a_lead_finds_the_fields_that_agree_filled_in_and_every_reviewer_reads_the_same_documents_again(
    tmp_path: Path, on_desk: Context, argilla: RunningArgilla
):
    rules = {"reviewers_per_document": 2, "second_readings": 1}
    document = {"keep": ["sender"], "link": "https://files.example/{id}"}
    task = make_task(tmp_path / "fields", FIELDS, name="fields_again", review=rules, document=document)
    train = [
        library.document(task.name, text, f"mail.jsonl#line {n}", f"M {n}", {"sender": "<b>Al</b>"})
        for n, text in enumerate(texts(Split.train, 2))
    ]
    library.add(on_desk.store, train)
    sent_to(on_desk, task, *(record(task, d) for d in train))
    people_say(on_desk, task, {train[0].id: {"party": "Anna", "amount": 5}}, "ann", minutes=-3000)
    people_say(on_desk, task, {train[1].id: {"party": "Bo", "amount": 7}}, "ann", minutes=-10)
    people_say(on_desk, task, {train[1].id: {"party": "Bo Ltd", "amount": 7}}, "ben", minutes=-10)
    found = fetch_answers(on_desk, task, "never")
    assert (found.again.waiting, found.again.readings) == (1, 1)
    with open_desk(on_desk) as desk:
        owner = desk.client.http_client
        records = answered(on_desk, owner, "fields_again-adjudication", {}, steps.LEADS)
        [given] = records[train[1].id]["suggestions"]
        assert (given["value"], given["agent"]) == ("7", "reviewers")
        known = {"source": "mail.jsonl", "text_sender": plain.shown("<b>Al</b>"), "round": 1}
        assert records[train[1].id]["metadata"] == {**known, "reason": DIFFER}
        again = answered(on_desk, owner, "fields_again-reading", {})[train[0].id]
        assert again["metadata"] == {**known, "reason": "second reading"}
        link, *told = again["fields"]["About"].splitlines()
        assert 'href="https://files.example/M%200"' in link and told[0] == "Source: M 0"
        answer = {"party": "Bo Ltd", "amount": "7"}
        answered(on_desk, owner, "fields_again-adjudication", {train[1].id: answer}, steps.LEADS)
    for account in argilla.people.reviewers:
        with people.sign_in(argilla.url, account) as client:
            assert "fields_again-reading" in boards_of(client)
            answered(on_desk, client, "fields_again-reading", {train[0].id: {"party": "Anna", "amount": "6"}})
    again = fetch_answers(on_desk, task, "never").again
    assert (again.decided, again.waiting, again.answered) == (1, 0, 2)
    gold = corrections.settled(on_desk.store, task.name).gold
    assert gold == {train[0].id: {"party": "Anna", "amount": 5}, train[1].id: {"party": "Bo Ltd", "amount": 7}}
    assert [one.reviewer for one in second_looks.answers(on_desk.store, task.name, Queue.reading)] == [
        a.username for a in argilla.people.reviewers
    ]


@pytest.mark.real
def test_a_doubted_answer_waits_before_the_owner_stays_gold_meanwhile_and_is_sent_once(
    tmp_path: Path, on_desk: Context
):
    task = find_task(on_desk, str(write_task(tmp_path / "mail", name="doubtful")))
    leases = arrive(on_desk, task, *texts(Split.train, 10, "landlord's roof and rent"))
    debts = arrive(on_desk, task, *texts(Split.train, 10, "invoice, reminder and overdue payment"))
    sent_to(on_desk, task, *(record(task, d) for d in [*leases, *debts]))
    people_say(on_desk, task, {d.id: "lease" for d in leases[1:]} | {d.id: "debt" for d in [leases[0], *debts]})
    assert [doubt_answers(on_desk, "doubtful", send=5).sent for _ in range(2)] == [1, 0]
    again = fetch_answers(on_desk, task, "never").again
    assert (again.waiting, again.decided) == (1, 0) and "/annotation-mode" in again.url
    assert corrections.settled(on_desk.store, task.name).gold[leases[0].id] == "debt"
    with open_desk(on_desk) as desk:
        records = answered(on_desk, desk.client.http_client, "doubtful-adjudication", {}, steps.LEADS)
        assert records[leases[0].id]["fields"]["said"] == "1 reviewer: debt"
        decided = {leases[0].id: {"answer": "lease"}}
        answered(on_desk, desk.client.http_client, "doubtful-adjudication", decided, steps.LEADS)
    assert fetch_answers(on_desk, task, "never").again.decided == 1
    assert corrections.settled(on_desk.store, task.name).gold[leases[0].id] == "lease"
    assert doubt_answers(on_desk, "doubtful").suspects == []


@pytest.mark.real
def test_what_was_taken_from_the_leads_board_by_a_killed_run_or_by_hand_is_sent_again(tmp_path: Path, on_desk: Context):
    task = make_task(tmp_path / "mail", name="lost", review={"reviewers_per_document": 2})
    train = arrive(on_desk, task, *texts(Split.train, 2))
    sent_to(on_desk, task, *(record(task, d) for d in train))
    people_say(on_desk, task, {d.id: "lease" for d in train}, "ann")
    people_say(on_desk, task, {d.id: "debt" for d in train}, "ben")
    assert fetch_answers(on_desk, task, "never").again.waiting == 2
    with open_desk(on_desk, steps.LEADS) as desk:
        owner, board = desk.client.http_client, parts.find(desk, "lost", form_of(task), parts.ADJUDICATION)
        records = answered(on_desk, owner, "lost-adjudication", {}, steps.LEADS)
        desk.call("DELETE", f"/records/{records[train[0].id]['id']}")
        people_say(on_desk, task, {train[0].id: "privacy"}, "ben", minutes=1)  # its case changed meanwhile
        assert fetch_answers(on_desk, task, "never").again.waiting == 2
        records = answered(on_desk, owner, "lost-adjudication", {}, steps.LEADS)
        assert records[train[0].id]["fields"]["said"] == "1 reviewer: lease\n1 reviewer: privacy"
        desk.call("DELETE", f"/datasets/{board.id}")
        assert fetch_answers(on_desk, task, "never").again.waiting == 2
        assert set(answered(on_desk, owner, "lost-adjudication", {}, steps.LEADS)) == {d.id for d in train}


@pytest.mark.real
def test_with_a_majority_only_ties_go_to_the_lead_and_a_late_majority_takes_them_back_unless_begun(
    tmp_path: Path, on_desk: Context
):
    review = {"reviewers_per_document": 3, "majority": True}
    task = find_task(on_desk, str(write_task(tmp_path / "mail", name="most", review=review)))
    settled, early, tie, begun = train = arrive(on_desk, task, *texts(Split.train, 4))
    sent_to(on_desk, task, *(record(task, d) for d in train))
    for who, answer in (("ann", "lease"), ("ben", "debt")):
        people_say(on_desk, task, {d.id: answer for d in train}, who)
    people_say(on_desk, task, {settled.id: "debt", tie.id: "privacy", begun.id: "privacy"}, "cid")
    found = fetch_answers(on_desk, task, "never")
    assert (found.corrected, found.disputed, found.waiting, found.again.waiting) == (1, 2, 1, 2)
    with open_desk(on_desk, steps.LEADS) as desk:
        owner = desk.client.http_client
        records = answered(on_desk, owner, "most-adjudication", {}, steps.LEADS)
        assert set(records) == {tie.id, begun.id}
        draft = {"status": "draft", "values": {"answer": {"value": "privacy"}}}
        owner.post(f"/api/v1/records/{records[begun.id]['id']}/responses", json=draft).raise_for_status()
        people_say(on_desk, task, {tie.id: "lease", begun.id: "lease"}, "dan")
        people_say(on_desk, task, {tie.id: "lease", begun.id: "lease"}, "eva")
        found = fetch_answers(on_desk, task, "never")
        assert (found.corrected, found.disputed, found.again.waiting) == (3, 0, 1)
        assert set(answered(on_desk, owner, "most-adjudication", {}, steps.LEADS)) == {begun.id}
        answered(on_desk, owner, "most-adjudication", {begun.id: {"answer": "privacy"}}, steps.LEADS)
    assert fetch_answers(on_desk, task, "never").again.decided == 1
    gold = {settled.id: "debt", tie.id: "lease", begun.id: "privacy"}
    assert corrections.settled(on_desk.store, task.name).gold == gold
    assert set(corrections.settled(on_desk.store, task.name).waiting) == {early.id}


@pytest.mark.real
def test_an_unreadable_answer_is_told_at_each_collect_until_it_is_corrected(
    tmp_path: Path, on_desk: Context, argilla: RunningArgilla
):
    task = make_task(tmp_path / "fields", FIELDS, name="told_again")
    [train] = arrive(on_desk, task, *texts(Split.train, 1))
    sent_to(on_desk, task, record(task, train))
    with people.sign_in(argilla.url, argilla.people.reviewers[0]) as client:
        answered(on_desk, client, "told_again", {train.id: {"party": "Anna", "amount": "five"}})
        assert [len(fetch_answers(on_desk, task, "never").faults) for _ in range(3)] == [1, 1, 1]
        answered(on_desk, client, "told_again", {train.id: {"party": "Anna", "amount": "5"}})
        assert fetch_answers(on_desk, task, "never").faults == []
    assert corrections.settled(on_desk.store, task.name).gold == {train.id: {"party": "Anna", "amount": 5}}


@pytest.mark.real
def test_a_lead_whom_a_desk_of_others_does_not_know_is_named(desk: Desk):
    assert SAME_WORKSPACE == WORKSPACE
    with pytest.raises(InputError, match=r"review\.leads names nobody-here, whom the review desk at"):
        people.seat_by_name(desk, ["reviewer-1", "nobody-here"])


def test_what_is_particular_to_a_board_stands_before_the_guidelines():
    assert parts.guidelines("", "Read.") == "Read."
    test = parts.guidelines(parts.TEST, "Read.", 2)
    assert "2 people answer each document" in test and test.endswith("\nRead.")
    assert "Your answer settles it" in parts.guidelines(parts.ADJUDICATION, "Read.")
