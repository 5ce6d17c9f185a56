"""The step that audits accepted labels, and what a round of the desk is chosen from, on a store without a server."""

import asyncio

import pytest
from fixtures_flows import ANSWERS, arrive, context_at, people_say, student_of, teacher_says, texts
from task_folders import write_task

from flows.audit import accepted_labels, audit_labels, in_a_sentence
from flows.context import find_task
from flows.desk import _chosen
from flows.second_opinion import ask_student, opinion, opinions
from flows.train import freeze
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
    assert (of_label.label, of_label.total, of_label.drawn, of_label.wrong) == ("lease", 40, 20, 1)


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
    assert in_a_sentence(context, task) == found.audit.sentence


def test_before_any_check_the_audit_says_how_many_are_needed(context, task):
    labelled(context, task)
    found = audit_labels(context, "mail", 0.3)
    assert found.audit.drawn == 0 and "more random checks are needed" in found.text
    assert "no confidence is shown to keep wrong labels to 30.0 %" in found.text
    with pytest.raises(InputError, match="no share of labels"):
        audit_labels(context, "mail", 1.5)


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
    by_scores = opinion(teacher, said("debt", 0.8, {"debt": 0.0, "lease": -2.0, "privacy": -2.0}))
    assert not by_scores.agrees and by_scores.support == pytest.approx(0.1065, abs=1e-3)
    assert opinion(teacher, said("debt", 0.8)).support == pytest.approx(0.2)
    assert opinion(teacher, said("lease", 0.8)).support == 0.8
    assert opinion(said({"a": 1}), said({"a": 2})).support == 0.5
