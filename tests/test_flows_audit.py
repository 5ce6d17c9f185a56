"""The step that audits accepted labels, and what a round of the desk is chosen from, on a store without a server."""

import asyncio

import pytest
from fixtures_flows import ANSWERS, arrive, context_at, people_say, student_of, teacher_says, texts
from task_folders import FIELDS, write_task

from evaluation.fields import Comparison
from evaluation.score import candidate, score_candidate
from flows.audit import accepted_labels, audit_labels, audit_of
from flows.context import find_task
from flows.desk import _chosen
from flows.report_sections import sections
from flows.second_opinion import ask_student, opinion, opinions
from flows.train import freeze
from flows.trial import rule_of
from prompts.standin import Standin
from records import desk_log, ledger
from records.errors import InputError
from records.types import DeskRecord, Label, Outcome, Role, Split
from review.routing import Reason
from review.worth import draw_of


@pytest.fixture
def task(tmp_path, context):
    return find_task(context, str(write_task(tmp_path / "mail", review={"audit_share": 0.5, "rare_below": 0})))


def labelled(context, task, count=40, confidence=0.95):
    """Training documents that the teacher calls leases."""
    documents = arrive(context, task, *texts(Split.train, count))
    for document in documents:
        teacher_says(context, task, document, "lease", confidence)
    return documents


def in_draws(documents):
    return sorted(documents, key=lambda d: draw_of(d.id, "audit"))


def test_the_audit_counts_the_checks_that_people_answered_in_the_order_of_their_draws(context, task):
    documents = in_draws(labelled(context, task))
    people_say(context, task, {d.id: "debt" if n == 2 else "lease" for n, d in enumerate(documents[:20])})
    people_say(context, task, {documents[30].id: "privacy"})
    found = audit_labels(context, "mail", 0.2).audit
    assert (found.total, found.drawn, found.wrong, found.corrected, found.blocked) == (40, 20, 1, 2, 1)
    assert found.error.value == 0.05 and found.wanted == 0.2
    [of_label] = found.labels
    assert (of_label.name, of_label.total, of_label.drawn, of_label.wrong) == ("lease", 40, 20, 1)


def test_what_nobody_could_answer_or_agree_on_counts_as_wrong(context, task):
    first, second, third, *_ = in_draws(labelled(context, task))
    people_say(context, task, {first.id: "lease", second.id: "lease"})
    people_say(context, task, {second.id: "debt"}, who="ben")
    people_say(context, task, {third.id: None})
    found = audit_labels(context, "mail").audit
    assert (found.drawn, found.wrong) == (3, 2)


def test_a_label_that_came_after_a_round_was_sent_is_of_a_later_cohort(context, task):
    documents = labelled(context, task, 5)
    row = {"task": "mail", "reason": Reason.audit, "blind": True}
    desk_log.record(context.store, [DeskRecord(document_id=documents[0].id, round=1, **row)])
    [late] = arrive(context, task, *texts(Split.train, 6)[5:])
    teacher_says(context, task, late, "lease", 0.95)
    assert {one.document_id: one.round for one in accepted_labels(context, task)} == {
        **{d.id: 0 for d in documents},
        late.id: 1,
    }


def test_the_audit_says_it_to_people_and_derives_a_threshold_from_test_documents_too(context, task):
    documents = in_draws(labelled(context, task, 60))
    test = arrive(context, task, *texts(Split.test, 20))
    for document in test:
        teacher_says(context, task, document, "lease", 0.92)
    people_say(context, task, {d.id: "lease" for d in [*documents, *test]})
    found = audit_labels(context, "mail", 0.05)
    assert found.audit.enough and "at most 0.0 % of the 60 accepted labels are wrong: reviewing can stop" in found.text
    assert found.threshold is not None and (found.threshold.value, found.threshold.looked_at) == (0.92, 80)
    assert "review.trust_above: 0.92 keeps wrong labels to 5.0 % with 95 % confidence" in found.text
    assert "| lease | 60 | 60 | 0 |" in found.text
    assert audit_of(context, task).sentence == found.audit.sentence


def test_before_any_check_the_audit_says_how_many_are_needed(context, task):
    labelled(context, task)
    found = audit_labels(context, "mail", 0.3)
    assert found.audit.drawn == 0 and "random checks are needed" in found.text
    assert "no confidence is shown to keep wrong labels to 30.0 %" in found.text
    with pytest.raises(InputError, match="no share of labels"):
        audit_labels(context, "mail", 1.5)


SAID = {"party": "ACME Inc", "amount": 100.0}


@pytest.fixture
def extraction(tmp_path, context):
    fields = {"amount": {"how": "number", "relative": 0.01}}
    return find_task(context, str(write_task(tmp_path / "fields", FIELDS, gate={"fields": fields})))


def extracted(context, task, count=20, split=Split.train):
    documents = arrive(context, task, *texts(split, count))
    for document in documents:
        teacher_says(context, task, document, SAID, 0.95)
    return documents


def judged(context, task):
    """(the object right, each field right) by document, of those that people looked at."""
    return {
        one.document_id: (one.right, one.fields["party"], one.fields["amount"])
        for one in accepted_labels(context, task)
        if one.right is not None
    }


def test_an_object_is_right_where_the_gate_would_call_it_so_and_so_is_each_field(context, extraction):
    documents = extracted(context, extraction)
    answers = {
        documents[0].id: {"party": "Acme  inc.", "amount": 100.5},
        documents[1].id: {"party": "Acme inc.", "amount": 102.0},
        documents[2].id: {"party": "Apex Inc", "amount": 100.0},
        documents[3].id: {"party": "ACME Inc"},
    }
    people_say(context, extraction, answers)
    assert judged(context, extraction) == {
        documents[0].id: (True, True, True),
        documents[1].id: (False, True, False),
        documents[2].id: (False, False, True),
        documents[3].id: (False, True, False),
    }
    labels = ledger.newest(context.store, extraction.name, Role.teacher)
    gate = score_candidate(candidate("t", "teacher", labels.values()), answers, rule_of(extraction).fields)
    assert {s.document_id: s.right for s in gate} == {
        i: right for i, (right, *_) in judged(context, extraction).items()
    }


def test_a_field_that_label_and_person_leave_out_is_right(context, extraction):
    [document] = arrive(context, extraction, *texts(Split.train, 1))
    teacher_says(context, extraction, document, {"party": "Anna"}, 0.95)
    people_say(context, extraction, {document.id: {"party": "Anna"}})
    assert judged(context, extraction) == {document.id: (True, True, True)}


def test_people_who_differ_make_wrong_what_they_differ_on_and_a_spelling_is_no_difference(context, extraction):
    first, second, third, *_ = extracted(context, extraction)
    people_say(context, extraction, {first.id: SAID, second.id: SAID})
    people_say(context, extraction, {first.id: {**SAID, "amount": 300.0}}, who="ben")
    people_say(context, extraction, {second.id: {**SAID, "party": "Acme inc."}, third.id: None}, who="ben")
    assert judged(context, extraction) == {
        first.id: (False, True, False),
        second.id: (True, True, True),
        third.id: (False, False, False),
    }


def test_the_audit_of_objects_has_a_table_by_field_and_the_report_shows_it(context, extraction):
    documents = in_draws(extracted(context, extraction))
    said = [SAID] * 10 + [{**SAID, "amount": 7.0}] * 2
    people_say(context, extraction, {d.id: answer for d, answer in zip(documents, said, strict=False)})
    found = audit_labels(context, "fields", 0.5)
    head, _, *rows = [line for line in found.text.splitlines() if line.startswith("|")]
    assert head == "| field | accepted | checked | wrong | share wrong |"
    assert [row.rpartition("|")[0].rpartition("|")[0] for row in rows] == [
        "| amount | 20 | 12 | 2 ",
        "| party | 20 | 12 | 0 ",
    ]
    assert [one["name"] for one in found.model_dump(mode="json")["audit"]["fields"]] == ["amount", "party"]
    student = student_of(context, extraction, freeze(context, extraction))
    shown = sections(context, extraction, student)[0]
    assert shown.title == "Labels that nobody checked" and shown.head[0] == "field"
    assert [row[:4] for row in shown.rows] == [["amount", "20", "12", "2"], ["party", "20", "12", "0"]]


def test_the_threshold_reads_objects_as_the_gate_does(context, extraction):
    test = extracted(context, extraction, 20, Split.test)
    people_say(context, extraction, {d.id: {**SAID, "party": "acme inc"} for d in test})
    threshold = audit_labels(context, "fields", 0.2).threshold
    assert threshold is not None and (threshold.looked_at, threshold.wrong.value) == (20, 0.0)


def test_a_round_takes_its_share_of_random_checks_from_the_store_and_no_more_than_its_places(context, task):
    documents = labelled(context, task)
    chosen = _chosen(context, task, {}, 1, 10).records
    assert [r.document_id for r in chosen] == [d.id for d in in_draws(documents)[:5]]
    assert {r.reason for r in chosen} == {Reason.audit}


async def test_the_student_is_asked_once_and_where_it_differs_people_look(tmp_path):
    async with Standin(ANSWERS) as server:
        context = context_at(tmp_path / "home", server.url)
        task = find_task(context, str(write_task(tmp_path / "mail", review={"audit_share": 0.0, "rare_below": 0})))
        with pytest.raises(InputError, match="no student yet"):
            await asyncio.to_thread(ask_student, context, task)
        documents = arrive(context, task, *texts(Split.train, 6), *texts(Split.validation, 1), *texts(Split.test, 2))
        for n, document in enumerate(documents):
            teacher_says(context, task, document, "debt" if n == 1 else "lease", 0.95)
        people_say(context, task, {documents[0].id: "lease"})
        student_of(context, task, freeze(context, task))
        asked = await asyncio.to_thread(ask_student, context, task)
        assert (asked.answered, asked.failed) == (6, 0)
        assert (await asyncio.to_thread(ask_student, context, task)).answered == 0
        labels = ledger.newest(context.store, "mail", Role.teacher)
        found = opinions(context, task, labels)
        assert {i for i, one in found.items() if not one.agrees} == {documents[1].id}
        chosen = _chosen(context, task, {}, 2, 100).records
        assert {r.document_id: r.reason for r in chosen if not r.blind} == {documents[1].id: Reason.differs}
        context.store.close()


def test_an_opinion_is_how_likely_the_student_finds_what_the_teacher_said():
    def said(value, confidence=None, scores=None):
        return Label(
            key="k", task="t", document_id="d", role=Role.student, model="m", prompt="p", outcome=Outcome.answered,
            value=value, confidence=confidence, scores=scores or {},
        )  # fmt: skip

    teacher = said("lease", 0.9)
    by_scores = opinion(teacher, said("debt", 0.8, {"debt": 0.0, "lease": -2.0, "privacy": -2.0}), {})
    assert not by_scores.agrees and by_scores.support == pytest.approx(0.1065, abs=1e-3)
    assert opinion(teacher, said("debt", 0.8), {}).support == pytest.approx(0.2)
    assert opinion(teacher, said("lease", 0.8), {}).support == 0.8
    assert opinion(said({"a": 1}), said({"a": 2}), {}).support == 0.5
    spelt = said({"party": "Acme Inc"}), said({"party": "ACME Inc."})
    assert opinion(*spelt, {"party": Comparison(how="normalised")}).agrees and not opinion(*spelt, {}).agrees
