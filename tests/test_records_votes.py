"""What several people's answers settle with `review.majority`; what has no majority waits or is disputed."""

from datetime import timedelta
from pathlib import Path

import pytest
from fixtures_flows import arrive, people_say, teacher_says, texts
from task_folders import FIELDS, write_task
from test_review_adjudication import decision, look

from flows.audit import accepted_labels
from flows.collect import _counted
from flows.context import Context, find_task
from flows.history import document_history
from flows.reviewers import measure_people
from flows.trial import _test_answers
from prompts.task import Task
from records import corrections, second_looks
from records.errors import InputError
from records.store import Store
from records.types import Answer, Correction, Document, Split, now
from records.votes import Voting, Won, voting, won
from review import adjudication

THREE = {"majority": True, "reviewers_per_document": 3}
PEOPLE = ("ann", "ben", "cid", "dan", "eva")


@pytest.fixture
def task(tmp_path: Path, context: Context) -> Task:
    return find_task(context, str(write_task(tmp_path / "mail", review=THREE)))


def say(context: Context, task: Task, document: Document, *answers: Answer) -> None:
    """One answer a person, in the order of `PEOPLE`."""
    for who, answer in zip(PEOPLE, answers, strict=False):
        people_say(context, task, {document.id: answer}, who)


def discards(store: Store, document: Document, who: str) -> None:
    at = now() + timedelta(minutes=1)
    row = {"task": document.task, "document_id": document.id, "reviewer": who, "answered_at": at}
    corrections.save(store, [Correction(**row, value=None, discarded=True)])


def rows(*answers: Answer) -> list[Correction]:
    return [
        Correction(task="t", document_id="d", reviewer=who, value=answer, answered_at=now())
        for who, answer in zip(PEOPLE, answers, strict=False)
    ]


# --- the rule


@pytest.mark.parametrize(
    ("said", "by_all", "by_majority"),
    [
        (["a"], Won("a", 1, 1), Won("a", 1, 1)),
        (["a", "a"], Won("a", 2, 2), Won("a", 2, 2)),
        (["a", "b"], None, None),
        (["b", "a", "a"], None, Won("a", 2, 3)),
        (["a", "b", "c"], None, None),
        (["a", "a", "b", "b"], None, None),
        (["a", "a", "b", "c"], None, None),
        (["a", "b", "a", "c", "a"], None, Won("a", 3, 5)),
    ],
)
def test_a_majority_is_more_than_half_of_three_or_more(said, by_all, by_majority):
    assert won(rows(*said), majority=False) == by_all
    assert won(rows(*said), majority=True) == by_majority


def test_objects_are_alike_only_as_a_whole():
    one, same, other = {"party": "Anna", "amount": 5}, {"amount": 5, "party": "Anna"}, {"party": "Anna"}
    assert won(rows(other, one, same), majority=True) == Won(one, 2, 3)
    assert won(rows(one, other, {"party": "Anna", "amount": 6}), majority=True) is None


def test_the_rule_is_the_newest_definitions_and_without_one_all_must_agree(context, tmp_path):
    assert voting(context.store, "mail") == Voting(False, 1, 1)
    folder = write_task(tmp_path / "mail", review=THREE | {"reviewers_per_test_document": 5})
    find_task(context, str(folder))
    assert voting(context.store, "mail") == Voting(True, 3, 5)
    task = find_task(context, str(write_task(tmp_path / "mail")))
    assert voting(context.store, "mail") == Voting(False, 1, 1)
    [document] = arrive(context, task, *texts(Split.train, 1))
    say(context, task, document, "lease", "debt", "lease")
    assert corrections.settled(context.store, "mail").disputed.keys() == {document.id}
    write_task(tmp_path / "mail", review=THREE)
    find_task(context, str(folder))
    assert corrections.settled(context.store, "mail").gold == {document.id: "lease"}


def test_a_majority_that_can_never_be_is_refused_with_the_cure(context, tmp_path):
    for review in ({"majority": True}, {"majority": True, "reviewers_per_test_document": 2}):
        with pytest.raises(InputError, match=r"review\.majority: true, .* set review\.reviewers_per_document or"):
            find_task(context, str(write_task(tmp_path / "mail", review=review)))
    review = {"majority": True, "reviewers_per_test_document": 3}
    assert find_task(context, str(write_task(tmp_path / "mail", review=review))).review.majority


# --- in the store


def test_two_of_three_are_gold_three_ways_are_disputed_and_one_against_one_waits(context, task):
    most, torn, early, alike = arrive(context, task, *texts(Split.train, 4))
    say(context, task, most, "lease", "debt", "lease")
    say(context, task, torn, "lease", "debt", "privacy")
    say(context, task, early, "lease", "debt")
    say(context, task, alike, "debt", "debt")
    found = corrections.settled(context.store, task.name)
    assert found.gold == {most.id: "lease", alike.id: "debt"}
    assert (found.by_majority, set(found.waiting)) == ({most.id: Won("lease", 2, 3)}, {early.id})
    assert {i: len(of) for i, of in found.disputed.items()} == {torn.id: 3}


def test_a_tie_of_as_many_as_are_asked_is_disputed_in_each_split_by_its_own_number(context, tmp_path):
    review = {"majority": True, "reviewers_per_document": 2, "reviewers_per_test_document": 4}
    task = find_task(context, str(write_task(tmp_path / "mail", review=review)))
    [train], [test, full] = (arrive(context, task, *texts(*which)) for which in ((Split.train, 1), (Split.test, 2)))
    say(context, task, train, "lease", "debt")
    say(context, task, test, "lease", "debt")
    say(context, task, full, "lease", "debt", "debt", "lease")
    found = corrections.settled(context.store, task.name)
    assert (found.gold, set(found.disputed), set(found.waiting)) == ({}, {train.id, full.id}, {test.id})


def test_a_discarded_answer_is_no_vote_but_nobody_waits_for_it(context, task):
    torn, most = arrive(context, task, *texts(Split.train, 2))
    say(context, task, torn, "lease", "debt")
    say(context, task, most, "lease", "debt", "lease", "debt")
    discards(context.store, torn, "cid")
    discards(context.store, most, "ben")
    found = corrections.settled(context.store, task.name)
    assert (set(found.disputed), set(found.waiting)) == ({torn.id}, set())
    assert found.by_majority == {most.id: Won("lease", 2, 3)}


def test_a_leads_decision_stands_above_a_majority(context, task):
    first, second = arrive(context, task, *texts(Split.train, 2))
    for document in (first, second):
        say(context, task, document, "lease", "debt", "lease")
    second_looks.save(context.store, [decision(first, "debt"), decision(second, None)])
    found = corrections.settled(context.store, task.name)
    assert (found.gold, found.disputed, found.by_majority) == ({first.id: "debt"}, {}, {})


def test_votes_are_counted_under_the_labels_names_of_today(context, task, tmp_path):
    [document] = arrive(context, task, *texts(Split.train, 1))
    say(context, task, document, "lease", "debt", "privacy")
    assert document.id in corrections.settled(context.store, task.name).disputed
    answer = {"kind": "choice", "labels": [{"name": "money", "was": ["lease", "debt"]}, {"name": "privacy"}]}
    find_task(context, str(write_task(tmp_path / "mail", answer=answer, examples=[], review=THREE)))
    assert corrections.settled(context.store, task.name).by_majority == {document.id: Won("money", 2, 3)}


def test_objects_settle_by_majority_in_the_store(context, tmp_path):
    task = find_task(context, str(write_task(tmp_path / "fields", FIELDS, review=THREE)))
    [document] = arrive(context, task, *texts(Split.train, 1))
    say(context, task, document, {"party": "Bo"}, {"party": "Anna", "amount": 5}, {"amount": 5, "party": "Anna"})
    assert corrections.settled(context.store, task.name).gold == {document.id: {"party": "Anna", "amount": 5}}


# --- what others make of it


def test_what_waits_does_not_go_to_the_lead_and_a_late_majority_is_taken_back(context, task):
    late, early = arrive(context, task, *texts(Split.train, 2))
    say(context, task, late, "lease", "debt", "privacy")
    say(context, task, early, "lease", "debt")
    cases = adjudication.disputes(corrections.settled(context.store, task.name).disputed)
    assert ([c.document_id for c in adjudication.plan(cases, {}, ())[0]], set(cases)) == ([late.id], {late.id})
    sent = {i: look(case) for i, case in cases.items()}
    for who in ("dan", "eva"):
        people_say(context, task, {late.id: "debt"}, who)
    people_say(context, task, {early.id: "privacy"}, "cid")
    cases = adjudication.disputes(corrections.settled(context.store, task.name).disputed)
    fresh, stale = adjudication.plan(cases, sent, ())
    assert ([case.document_id for case in fresh], stale) == ([early.id], [late.id])


def test_collect_counts_what_waits_apart_from_what_is_disputed(context, task):
    most, torn, early = arrive(context, task, *texts(Split.train, 3))
    say(context, task, most, "lease", "debt", "lease")
    say(context, task, torn, "lease", "debt", "privacy")
    say(context, task, early, "lease", "debt")
    found = _counted(context, task, "never", 0, [])
    assert (found.corrected, found.disputed, found.waiting) == (1, 1, 1)
    assert "people differ on 1 more, which wait for further answers" in found.text


def test_reports_count_a_majority_as_settled_and_still_as_not_unanimous(context, task):
    most, alike, torn = arrive(context, task, *texts(Split.test, 3))
    for document, third in ((most, "debt"), (alike, "lease")):
        say(context, task, document, "lease", "lease", third)
    say(context, task, torn, "lease", "debt", "privacy")
    report = measure_people(context, task.name).report
    assert (report.settled, report.disputed, report.by_majority) == (2, 1, 1)
    assert report.agreement.whole.pairwise.value == pytest.approx((1 / 3 + 1 + 0) / 3)
    assert (
        "2 documents settled, 0 of them by a lead, 1 by a majority; 1 disputed" in measure_people(context, "mail").text
    )
    on_trial = _test_answers(context, task)
    assert (set(on_trial.gold), set(on_trial.disputed), set(on_trial.by_majority)) == (
        {most.id, alike.id},
        {torn.id},
        {most.id},
    )


def test_a_documents_history_tells_how_many_settled_it(context, task):
    most, alike = arrive(context, task, *texts(Split.train, 2))
    say(context, task, most, "lease", "debt", "lease")
    say(context, task, alike, "debt", "debt", "debt")
    assert "people settled on lease, 2 of 3\n" in document_history(context, task.name, most.id).text
    assert "people settled on debt\n" in document_history(context, task.name, alike.id).text


def test_a_random_check_that_waits_for_a_majority_is_not_yet_called_wrong(context, task):
    early, torn = arrive(context, task, *texts(Split.train, 2))
    for document in (early, torn):
        teacher_says(context, task, document, "lease", 1.0)
    say(context, task, early, "lease", "debt")
    say(context, task, torn, "lease", "debt", "privacy")
    right = {one.document_id: one.right for one in accepted_labels(context, task)}
    assert right == {early.id: None, torn.id: False}
