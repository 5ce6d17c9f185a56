"""One calibration for a teacher and a prompt, kept in the store: routing, training and audit accept by it alike."""

import itertools
import math

import pytest
import sqlalchemy as sa
from fixtures_flows import arrive, people_say, teacher_says, texts
from task_folders import write_task
from test_evaluation_reliability import trial

from evaluation.calibration import ENOUGH
from flows.audit import accepted_labels, audit_labels
from flows.calibrating import calibrate, on_test, reading, rules_of
from flows.collect import _counted
from flows.confidence import measure_confidence
from flows.context import find_task
from flows.desk import _chosen
from flows.freezing import _trusted
from flows.trial import _trust_from
from prompts.pool import teacher_prompt
from records import calibrations, desk_log, library, split
from records.calibrations import Calibration
from records.tables import calibrations as table
from records.types import DeskRecord, Split, now
from review.routing import Reason
from review.worth import draw_of

WORDS = ["roof", "heating", "van", "parking", "garden", "ladder", "kettle", "window", "bridge", "letter", "carpet"]


@pytest.fixture
def task(tmp_path, context):
    return find_task(context, str(write_task(tmp_path / "mail", review={"rare_below": 0})))


def made(context, task, wanted: Split, count: int, about: str):
    """Documents of one split: more than the shared fixture has words for."""
    said = (f"{about.capitalize()} {a} {b}, the {c} is due." for a, b, c in itertools.permutations(WORDS, 3))
    chosen = itertools.islice((t for t in said if split.split_of(split.cluster_of(t)) is wanted), count)
    found = [library.document(task.name, text, source="test") for text in chosen]
    assert len(found) == count
    library.add(context.store, found)
    return found


def overconfident(context, task, count=ENOUGH, about="tested"):
    """Test documents, answered by turns with 0.99 (two of three right) and 0.7 (one of three right)."""
    documents = made(context, task, Split.test, count, about)
    for n, document in enumerate(documents):
        teacher_says(context, task, document, "lease", 0.99 if n % 2 else 0.7)
    right = {d.id: "lease" if (n // 2) % 3 < (2 if n % 2 else 1) else "debt" for n, d in enumerate(documents)}
    people_say(context, task, right)
    return documents


def test_before_a_hundred_answers_the_stated_confidence_counts_and_that_is_said(context, task):
    overconfident(context, task, ENOUGH - 1)
    found = calibrate(context, task)
    assert found.curve is None and found.of(0.97) == rules_of(context, task).calibrated(0.97) == 0.97
    assert found.sentence == (
        "confidence counts as the teacher states it: 99 test documents have both its confidence and people's "
        "answer, and calibration takes 100"
    )


def test_a_teacher_that_was_always_right_keeps_its_confidence(context, task):
    documents = made(context, task, Split.test, ENOUGH, "tested")
    for document in documents:
        teacher_says(context, task, document, "lease", 0.95)
    people_say(context, task, {d.id: "lease" for d in documents})
    assert "of 100 test answers it was right on all" in calibrate(context, task).sentence


def test_it_is_fitted_once_and_anew_only_when_asked(context, task):
    overconfident(context, task)
    first = calibrate(context, task).curve
    assert (first.answers, first.right, first.number) == (100, 51, 1)
    assert 0.6 < first.of(0.99) < 0.72 and first.of(0.7) < 0.4
    overconfident(context, task, 40, "later")
    people_say(context, task, {d.id: "lease" for d in made(context, task, Split.test, 3, "unlabelled")})
    assert calibrate(context, task).curve == reading(context, task).curve == first
    second = calibrate(context, task, again=True).curve
    assert (second.number, second.answers) == (2, 140) and second.of(0.99) != first.of(0.99)
    assert reading(context, task).curve == second
    assert calibrate(context, task, again=True).curve == second, "the same answers give no new one"
    with context.store.read() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 2, "the old one is kept"


def test_a_new_prompt_or_a_new_teacher_begins_without_one(context, task, tmp_path):
    overconfident(context, task)
    calibrate(context, task)
    for changed in ({"instructions": "Sort it."}, {"teacher": {"model": "openai/other"}}):
        other = find_task(context, str(write_task(tmp_path / "mail", **changed)))
        assert calibrate(context, other).curve is None
    assert reading(context, find_task(context, str(write_task(tmp_path / "mail")))).curve is not None


def test_the_setting_switches_it_off(context, task, tmp_path):
    overconfident(context, task)
    calibrate(context, task)
    off = find_task(context, str(write_task(tmp_path / "mail", review={"calibrate": False})))
    assert rules_of(context, off).calibrated(0.97) == 0.97
    assert calibrate(context, off, again=True).sentence.endswith("review.calibrate is off")


def test_only_test_documents_tell_of_the_confidence(context, task):
    for document in made(context, task, Split.train, ENOUGH, "trained"):
        teacher_says(context, task, document, "lease", 0.7)
        people_say(context, task, {document.id: "debt"})
    assert on_test(context, task) == [] and calibrate(context, task).curve is None


def test_of_two_processes_that_fit_at_once_the_first_one_stays(context, task):
    row = {"task": "mail", "model": "m", "prompt": "p", "number": 1, "intercept": 0.0, "low": 0.5, "high": 0.9}
    first = Calibration(slope=1.0, answers=100, right=50, made_at=now(), **row)
    calibrations.add(context.store, first)
    calibrations.add(context.store, first.model_copy(update={"slope": 2.0}))
    assert calibrations.newest(context.store, "mail", "m", "p") == first
    assert calibrations.newest(context.store, "mail", "m", "other") is None


def test_collect_fits_it_as_soon_as_new_answers_are_enough(context, task):
    overconfident(context, task)
    _counted(context, task, "never", 0, [])
    assert reading(context, task).curve is None
    _counted(context, task, "never", 100, [])
    assert reading(context, task).curve.answers == 100


def test_the_report_suggests_a_threshold_on_the_scale_of_the_setting(context, task):
    judgement = trial()
    assert _trust_from(context, task, judgement) is None
    kept(context, task, 0.5)
    assert _trust_from(context, task, judgement) == reading(context, task).of(0.99) == pytest.approx(0.9087, abs=1e-4)


def kept(context, task, slope: float, number: int = 1) -> None:
    """A calibration by hand: with a slope of 0.5, a stated 0.97 means 85 % right and 0.99 means 91 %."""
    row = {"task": task.name, "model": task.teacher.model, "prompt": teacher_prompt(context.store, task)}
    curve = {"slope": slope, "intercept": 0.0, "low": 0.01, "high": 0.9999, "answers": 120, "right": 80}
    calibrations.add(context.store, Calibration(number=number, **row, **curve))


def test_routing_training_and_audit_accept_alike(context, task):
    documents = arrive(context, task, *texts(Split.train, 6))
    for document, confidence in zip(documents, (0.95, 0.97, 0.98, 0.99, 0.995, None), strict=True):
        teacher_says(context, task, document, "lease", confidence)

    def accepted() -> list[set[str]]:
        unsure = {Reason.unsure, Reason.no_confidence}
        doubted = {r.document_id for r in _chosen(context, task, {}, 1, 100).records if r.reason in unsure}
        trained, audited = set(_trusted(context, task)), {x.document_id for x in accepted_labels(context, task)}
        return [{d.id for d in documents} - doubted, trained, audited]

    assert accepted() == [{d.id for d in documents[:5]}] * 3
    kept(context, task, 0.5)
    assert accepted() == [{d.id for d in documents[3:5]}] * 3
    kept(context, task, 0.1, number=2)
    assert accepted() == [set()] * 3


def test_a_teacher_that_never_reaches_the_threshold_is_said_to(context, task):
    overconfident(context, task)
    said = calibrate(context, task).sentence
    assert said.startswith("confidence calibrated on 100 test answers on ")
    assert ": the surest answers (0.99) are 67.3 % right; review.trust_above is 0.9, so no label is accepted" in said
    assert said in audit_labels(context, "mail").text and said in measure_confidence(context, "mail").text
    kept(context, task, 0.5, number=2)
    assert "0.9878 means 90.0 % right, and is accepted" in reading(context, task).sentence


def test_the_threshold_that_the_audit_suggests_is_on_the_scale_of_the_setting(context, task):
    for document in made(context, task, Split.test, 80, "tested"):
        teacher_says(context, task, document, "lease", 0.97)
        people_say(context, task, {document.id: "lease"})
    assert audit_labels(context, "mail", 0.05).threshold.value == 0.97
    kept(context, task, 0.5)
    found = audit_labels(context, "mail", 0.05)
    assert found.threshold.value == math.floor(1e4 / (1 + (3 / 97) ** 0.5)) / 1e4 == 0.8504
    assert "review.trust_above: 0.8504 keeps wrong labels to 5.0 %" in found.text


def test_when_the_accepted_set_changes_the_row_of_checks_goes_up_to_the_first_unanswered_draw_of_the_new_set(
    context, task
):
    """Answered checks of what is still accepted stay a random sample of it; a label that comes in blocks from there."""
    documents = sorted(arrive(context, task, *texts(Split.train, 30)), key=lambda d: draw_of(d.id, "audit"))
    for n, document in enumerate(documents):
        teacher_says(context, task, document, "lease", 0.995 if n % 2 else 0.95)
    people_say(context, task, {d.id: "lease" for d in documents[:10]})
    found = audit_labels(context, "mail").audit
    assert (found.total, found.drawn, found.blocked) == (30, 10, 0)
    kept(context, task, 0.5)  # only those of 0.995 stay: five of the ten answered
    found = audit_labels(context, "mail").audit
    assert (found.total, found.drawn, found.blocked) == (15, 5, 0)
    people_say(context, task, {documents[n].id: "lease" for n in (11, 13, 15)})  # the next draws of this set
    assert audit_labels(context, "mail").audit.drawn == 8
    kept(context, task, 1.0, number=2)  # all are back: what came in between was never checked
    found = audit_labels(context, "mail").audit
    assert (found.total, found.drawn, found.blocked) == (30, 10, 3)
    sent = {d.id: 1 for n, d in enumerate(documents) if n < 10 or n in (11, 13, 15)}
    chosen = [r.document_id for r in _chosen(context, task, sent, 2, 10).records if r.reason == Reason.audit]
    assert chosen[:1] == [documents[10].id], "the next round closes the gap"


@pytest.mark.parametrize(
    ("reason", "trained"),
    [(Reason.differs, False), (Reason.rare, False), (Reason.unprompted, False), (Reason.audit, True)],
)
def test_what_waits_as_doubted_is_not_trained_on_and_random_checks_are(context, task, reason, trained):
    document, other = arrive(context, task, *texts(Split.train, 2))
    for one in (document, other):
        teacher_says(context, task, one, "lease", 0.99)
    row = {"task": "mail", "round": 1, "blind": False, "document_id": document.id}
    desk_log.record(context.store, [DeskRecord(reason=reason, **row)])
    assert (document.id in _trusted(context, task)) is trained
    assert other.id in _trusted(context, task)
    people_say(context, task, {document.id: "lease"})
    assert document.id not in _trusted(context, task), "a person's answer takes its place"
