"""Advice out of the store: what a circle left is found, a form counts before it, and a change of the answer is told."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from fixtures_flows import arrive, people_say, teacher_says, texts
from task_folders import CHOICE, write_task

from advice.decision import Recommendation
from advice.form import Answers, reviewer_hour
from flows.advise import advise_all
from flows.context import Context, find_task
from flows.measuring import gateway_measured, measure_logs
from flows.situation import situation_of
from records import advised, corrections, registry, traffic
from records.errors import InputError
from records.tables import documents, tasks
from records.types import Correction, Decision, Outcome, Request, Split, Verdict, now

DAYS = 70


@pytest.fixture
def task(context: Context, tmp_path: Path):
    return find_task(context, str(write_task(tmp_path / "task", CHOICE)))


def asked(context: Context, task, days=DAYS, a_day=40, student=False, cost=0.01, twice=True):
    """Traffic of so many days until now; each text comes twice."""
    begin = now() - timedelta(days=days)
    rows = [
        Request(
            id=f"{student}-{n}",
            task=task.name,
            text=f"parcel {n // 2 if twice else n}",
            value="lease",
            outcome=Outcome.answered,
            model="student-1" if student else "gpt",
            release=1 if student else None,
            prompt_tokens=800,
            completion_tokens=3,
            cost_usd=0.0 if student else cost,
            latency_s=0.1 if student else 3.0,
            created_at=begin + timedelta(days=n / a_day),
        )
        for n in range(days * a_day)
    ]
    traffic.record(context.store, rows)


def judged(context: Context, task, teacher: float, student: float):
    def figures(value: float, p50: float) -> dict:
        return {
            "accuracy": {"value": value, "n": 200, "low": None, "high": None},
            "latency_p50_s": {"value": p50},
            "latency_p95_s": {"value": 1.5 * p50, "low": None, "high": 2 * p50},
        }

    report = {"teacher": figures(teacher, 2.0), "student": figures(student, 0.1)}
    ends = {"student_hash": "ab", "test_set_hash": "t", "rule_hash": "r", "decision": Decision.approved}
    registry.add_verdict(context.store, Verdict(id="v1", task=task.name, reasons=[], report=report, **ends))


def known(context: Context, task):
    return situation_of(context, task, reviewer_hour(Answers()))


def test_a_store_without_anything_knows_the_teachers_model_and_nothing_else(context: Context, task):
    found = known(context, task)
    assert found.teacher_model == task.teacher.model
    assert found.model_dump(exclude_none=True).keys() - found.model_dump(exclude_defaults=True).keys() <= {
        "needs_current_facts",
        "output_varies",
        "multi_step_reasoning",
        "data_may_not_leave",
        "offline",
        "exploring",
    }
    assert found.monthly_requests is None and found.changes is None


def test_volume_cost_latency_and_repeats_come_from_the_gateway(context: Context, task):
    asked(context, task)
    found = known(context, task)
    assert found.monthly_requests.value == pytest.approx(40 * 30.44, rel=0.01)
    assert found.repeated_share.value == pytest.approx(0.5) and found.days_covered == pytest.approx(DAYS, abs=0.1)
    assert found.teacher_cost.value == pytest.approx(0.01) and found.teacher_p95_s.value == pytest.approx(3.0, rel=0.01)
    assert found.monthly_requests.origin == "measured"
    assert found.monthly_requests.source.startswith("the gateway's records: 2,800 requests")


def test_a_students_answers_count_for_the_volume_and_not_for_what_the_teacher_costs(context: Context, task):
    asked(context, task)
    asked(context, task, student=True)
    found = known(context, task)
    assert found.monthly_requests.value == pytest.approx(80 * 30.44, rel=0.01)
    assert found.teacher_cost.value == pytest.approx(0.01) and found.teacher_p95_s.value == pytest.approx(3.0, rel=0.01)


def test_a_teacher_without_a_price_is_not_taken_for_free(context: Context, task):
    asked(context, task, cost=0.0)
    assert known(context, task).teacher_cost is None


def test_accuracies_and_the_students_pace_come_from_the_newest_verdict(context: Context, task):
    judged(context, task, 0.88, 0.93)
    found = known(context, task)
    assert (found.teacher_accuracy.value, found.student_accuracy.value) == (0.88, 0.93)
    assert found.teacher_accuracy.low < 0.88 < found.teacher_accuracy.high
    assert found.student_throughput.value == pytest.approx(10) and found.student_p95_s.value == pytest.approx(0.15)


def test_the_students_pace_is_the_most_that_was_measured_under_load(context: Context, task):
    rates = [{"throughput_per_s": {"value": v, "low": v - 1, "high": v + 1}} for v in (9.0, 25.0, 24.0)]
    ends = {"student_hash": "ab", "test_set_hash": "t", "rule_hash": "r", "decision": Decision.approved}
    registry.add_verdict(context.store, Verdict(id="v", task=task.name, reasons=[], report={"load": rates}, **ends))
    pace = known(context, task).student_throughput
    assert (pace.low, pace.value, pace.high, pace.origin) == (24.0, 25.0, 26.0, "measured")


@pytest.mark.parametrize(
    "report", [{}, {"student": 3}, {"teacher": {"accuracy": None}}, {"student": {"accuracy": {"n": 0}}}]
)
def test_a_verdict_of_another_version_is_read_as_far_as_it_goes(context: Context, task, report: dict):
    ends = {"student_hash": "ab", "test_set_hash": "t", "rule_hash": "r", "decision": Decision.rejected}
    registry.add_verdict(context.store, Verdict(id="v", task=task.name, reasons=[], report=report, **ends))
    assert known(context, task).student_accuracy is None


def test_before_a_verdict_the_teacher_is_measured_on_what_people_said_of_test_documents(context: Context, task):
    for n, document in enumerate(arrive(context, task, *texts(Split.test, 10))):
        people_say(context, task, {document.id: "lease"})
        teacher_says(context, task, document, "lease" if n < 8 else "debt", 0.9)
    found = known(context, task)
    assert found.teacher_accuracy.value == 0.8 and found.teacher_accuracy.source.startswith("10 test documents")
    assert found.labelled_examples.value == 0, "test documents are not trained on"


def test_a_label_is_priced_by_the_pauses_of_people_and_not_of_scripts_or_breaks(context: Context, task):
    begin = now()
    moments = [0.0]
    for pause in [30.0] * 20 + [5_000.0] + [0.1] * 20:
        moments.append(moments[-1] + pause)
    rows = [
        Correction(
            task=task.name, document_id=f"d{n}", reviewer="ann", value="lease", answered_at=begin + timedelta(seconds=s)
        )
        for n, s in enumerate(moments)
    ]
    corrections.save(context.store, rows)
    found = situation_of(context, task, reviewer_hour(Answers.model_validate({"money": {"reviewer_hour": "36 to 36"}})))
    assert found.label_cost.value == pytest.approx(0.30) and "30 s an answer (20 pauses)" in found.label_cost.source
    assert found.labelled_examples.value == len(rows)


def test_changes_are_versions_of_the_last_90_days_and_unknown_while_the_task_is_young(context: Context, task):
    arrive(context, task, "The van is parked.")
    with context.store.begin() as db:
        for n in range(4):
            row = {
                "name": task.name,
                "fingerprint": f"f{n}",
                "folder": str(task.folder),
                "definition": {},
                "seen_at": now(),
            }
            context.store.put_one(db, tasks, row)
    assert known(context, task).changes is None
    with context.store.begin() as db:
        db.execute(sa.update(documents).values(created_at=now() - timedelta(days=45)))
    found = known(context, task).changes
    assert (found.low, found.value) == (4, pytest.approx(8, rel=0.03)) and "5 versions of task.yaml" in found.source


def test_logs_that_cover_more_days_than_the_gateway_are_taken(context: Context, task, tmp_path: Path):
    asked(context, task, days=5)
    begin = now() - timedelta(days=66)
    rows = [f'{{"time": "{begin + timedelta(days=n / 2):%Y-%m-%dT%H:%M:%SZ}", "cost": 0.5}}' for n in range(130)]
    (tmp_path / "log.jsonl").write_text("\n".join(rows))
    measure_logs(context, [str(tmp_path / "log.jsonl")], task=task.name)
    found = known(context, task)
    assert found.teacher_cost.value == 0.5 and found.teacher_cost.source.startswith("log.jsonl: 130 requests")
    assert found.monthly_requests.value == pytest.approx(2 * 30.44, rel=0.03)


def test_what_the_gateway_keeps_a_share_of_is_scaled(context: Context, tmp_path: Path):
    sampled = find_task(context, str(write_task(tmp_path / "task", CHOICE | {"traffic": {"sample_rate": 0.5}})))
    asked(context, sampled, days=10)
    assert gateway_measured(context, sampled).daily.value == pytest.approx(80, rel=0.01)


# --- the whole


def test_after_a_circle_no_input_is_needed_and_the_page_is_there(context: Context, task):
    asked(context, task, a_day=200, days=61, cost=0.4, twice=False)
    judged(context, task, 0.88, 0.93)
    [told] = advise_all(context, task.name).tasks
    assert told.advice.recommendation is Recommendation.distil and "economics" in told.advice.decided_by
    page = Path(told.page).read_text()
    assert told.advice.sentence.split(":")[0] in page and "<script" not in page
    kept = advised.newest_advice(context.store, task.name)
    assert (kept.recommendation, kept.report_path) == ("distil", told.page) and told.before == ""


def test_a_form_counts_before_what_was_measured_and_is_remembered(context: Context, task):
    asked(context, task)
    said = Answers.model_validate({"numbers": {"monthly_requests": 500}})
    [first] = advise_all(context, task.name, said).tasks
    assert first.advice.decided_by == ["volume"] and first.advice.situation.monthly_requests.origin == "given"
    [again] = advise_all(context, task.name).tasks
    assert again.advice.situation.monthly_requests.value == 500 and again.before == ""


def test_a_changed_answer_is_told_with_the_one_before(context: Context, task):
    said = {"numbers": {"monthly_requests": 500, "teacher_accuracy": "80 %"}}
    advise_all(context, task.name, Answers.model_validate(said))
    said["numbers"]["monthly_requests"] = 50_000
    advise_all(context, task.name, Answers.model_validate(said))
    result = advise_all(context)
    assert [one.before for one in result.tasks] == [""], "the third is as the second"
    said["numbers"]["changes"] = 13
    [told] = advise_all(context, task.name, Answers.model_validate(said)).tasks
    assert told.before == "distil" and told.text.startswith("**The answer changed: it was `distil`.**")


def test_a_task_without_a_folder_is_advised_on_by_its_form_alone(context: Context):
    said = Answers.model_validate({"numbers": {"monthly_requests": 500}})
    assert advise_all(context, "not_there_yet", said).tasks[0].advice.decided_by == ["volume"]
    with pytest.raises(InputError, match="nothing is known of 'misspelt'"):
        advise_all(context, "misspelt")
    with pytest.raises(InputError, match="a form is one task's"):
        advise_all(context, "", said)


def test_a_folder_with_faults_is_not_hidden_by_a_form(context: Context, task):
    (task.folder / "task.yaml").write_text("name: [")
    with pytest.raises(InputError, match=r"task\.yaml"):
        advise_all(context, task.name, Answers.model_validate({"numbers": {"monthly_requests": 5}}))
    advised.keep_advice(
        context.store, advised.Advised(task=task.name, recommendation="distil", sentence="x", answers={}, advice={})
    )
    assert advise_all(context).faults, "over all tasks it is named, and the others go on"
