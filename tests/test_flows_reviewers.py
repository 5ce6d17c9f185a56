"""What `retort reviewers` and `retort second-look` find in a store, without a desk; and the way to a lead, with one."""

from pathlib import Path

import pytest
from fixtures_flows import arrive, people_say, teacher_says, texts
from task_folders import write_task

from flows.context import Context, find_task
from flows.doubts import doubt_answers
from flows.reviewers import material, measure_people
from prompts.task import Task
from records import desk_log, ledger, second_looks
from records.errors import InputError
from records.second_looks import Queue, SecondAnswer
from records.types import DeskRecord, Document, Label, Outcome, Role, Split, now


@pytest.fixture
def task(tmp_path: Path, context: Context) -> Task:
    return find_task(context, str(write_task(tmp_path / "mail", review={"reviewers_per_test_document": 2})))


def sent(context: Context, documents: list[Document], blind: bool) -> None:
    rows = [
        DeskRecord(
            task=d.task, document_id=d.id, round=1, reason="r", blind=blind, suggestion=None if blind else "lease"
        )
        for d in documents
    ]
    desk_log.record(context.store, rows)


def reads(document: Document, who: str, value: str) -> SecondAnswer:
    return SecondAnswer(
        task=document.task,
        document_id=document.id,
        queue=Queue.reading,
        reviewer=who,
        value=value,
        answered_at=now(),
    )


def test_nobody_has_answered_is_told_with_what_to_do(context: Context, task: Task):
    with pytest.raises(InputError, match="mail: nobody has answered anything yet: review on the desk"):
        measure_people(context, "mail")


def test_people_and_teacher_are_measured_from_what_is_stored(context: Context, task: Task):
    test = arrive(context, task, *texts(Split.test, 4))
    train = arrive(context, task, *texts(Split.train, 30))
    sent(context, test, blind=True)
    sent(context, train[:10], blind=False)
    sent(context, train[10:14], blind=True)
    for document in [*test, *train]:
        teacher_says(context, task, document, "lease", 0.6)
    for who, answer in (("ann", "lease"), ("ben", "debt")):
        people_say(context, task, {test[0].id: answer, **{d.id: "lease" for d in test[1:3]}}, who)
    people_say(context, task, {d.id: "lease" for d in train[:10]}, "ann")
    people_say(context, task, {d.id: "debt" if n else "lease" for n, d in enumerate(train[10:14])}, "ben")
    people_say(context, task, {test[3].id: "lease"}, "ann")

    told = measure_people(context, "mail")
    found = told.report
    assert (found.settled, found.disputed, found.decided, found.short) == (17, 1, 0, 1)
    assert found.agreement.whole.units == 3 and found.ceiling.people.units == 3
    assert (found.test.documents, found.test.changed.value) == (3, 0.0)
    assert (found.train.documents, found.train.changed.value) == (14, pytest.approx(3 / 14))
    assert [(x.label, x.unreviewed) for x in found.test.labels] == [("lease", 16)]
    assert (found.anchoring.shown.n, found.anchoring.unprompted.n) == (10, 4)
    assert found.anchoring.difference.value == pytest.approx(0.75)
    assert "Krippendorff's alpha" in told.text and "lease → debt" in told.text
    assert "1 test document has fewer answers" in told.text


def test_the_teachers_samples_and_near_duplicates_tell_how_far_it_agrees_with_itself(context: Context, task: Task):
    [first, *others] = arrive(context, task, *texts(Split.train, 3))
    label = Label(
        key="k",
        task="mail",
        document_id=first.id,
        role=Role.teacher,
        model=task.teacher.model,
        prompt="",
        outcome=Outcome.answered,
        value="lease",
        samples=["lease", "data", "What?", "lease"],
    )
    for document in others:
        teacher_says(context, task, document, "debt", 0.5)
    [prompt] = {one.prompt for one in ledger.labels(context.store, "mail")}
    ledger.save(context.store, [label.model_copy(update={"prompt": prompt})])
    given = material(context, task)
    assert given.samples == [["lease", "privacy", "lease"]]
    assert len(given.unreviewed) == 3 and given.near == []


def test_doubted_answers_are_listed_with_those_that_a_second_reading_contradicts(context: Context, task: Task):
    leases = arrive(context, task, *texts(Split.train, 12, "landlord's roof and rent"))
    debts = arrive(context, task, *texts(Split.train, 12, "invoice, reminder and overdue payment"))
    people_say(context, task, {d.id: "lease" for d in leases[1:]} | {d.id: "debt" for d in debts})
    people_say(context, task, {leases[0].id: "debt"})
    second_looks.save(context.store, [reads(debts[3], "ben", "privacy"), reads(debts[4], "ben", "debt")])
    found = doubt_answers(context, "mail")
    told = {one.document_id: (one.answer, one.by, one.said) for one in found.suspects}
    assert told == {
        leases[0].id: ("debt", "a simple model", "lease"),
        debts[3].id: ("debt", "a second reading", "privacy"),
    }
    assert (found.judged, found.left_out, found.sent) == (24, 0, 0)
    assert "`--send 20` sends the first 20" in found.text and "roof and rent" in found.text
