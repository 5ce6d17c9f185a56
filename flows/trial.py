"""A student on trial: everybody answers the human-checked test split, the gate decides, the report is written.

What is asked goes through the endpoints that production uses, and every answer is in the ledger before it counts.
A verdict is named after what was judged (student, test set, rule, prices, prompts), so the same trial is recognised. It
stands if every call was answered; where some failed, the next release asks these again and judges anew.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib.metadata import version as installed
from pathlib import Path

from evaluation import report
from evaluation.gate import Rule, gold_hash, prices_hash, rule_hash
from evaluation.judge import Absent, Judgement, Measurements, judge
from evaluation.load import Load, LoadRun
from evaluation.score import Candidate
from flows.calibrating import kept
from flows.comparing import compared
from flows.contestants import Contestants, contestants, rival_of
from flows.context import Context
from flows.load import cost_of, load_known
from flows.report_sections import sections
from prompts.litellm_door import table_prices
from prompts.pool import teacher_prompt
from prompts.render import prompt_fingerprint
from prompts.task import Task
from records import corrections, library, loads, registry
from records.corrections import Settled
from records.errors import InputError, ServiceError
from records.loads import LoadMeasurement
from records.overrides import Override
from records.types import Outcome, Split, Student, Verdict

_NOT_OF_THE_RULE = {"fields", "load", "monthly_requests", "embeddings"}


def measure(context: Context, task: Task, student: Student) -> Verdict:
    """Ask everybody on the test split, measure the endpoint, compare, decide, write the report and the verdict."""
    settled = _test_answers(context, task)
    documents = [d for d in library.documents(context.store, task.name, Split.test) if d.id in settled.gold]
    asked = contestants(context, task, student, documents)
    more = _measurements(context, task, student, asked)
    judgement = judge(
        settled.gold,
        asked.teacher,
        asked.student,
        rule_of(task),
        others=asked.others,
        predictions=asked.predictions,
        corrections=[c for c in corrections.all(context.store, task.name) if c.document_id in settled.gold],
        disputed=settled.disputed,
        by_majority=len(settled.by_majority),
        wanted_precision=task.review.wanted_precision,
        more=more,
    )
    judgement = judgement.model_copy(update={"trust_from": _trust_from(context, task, judgement)})
    pairs = (("teacher", asked.teacher), ("student", asked.student))
    missing = [f"{role} {i}" for role, who in pairs for i in _failed(who, settled.gold)]
    return _written(context, task, student, judgement, _verdict_id(context, task, student, missing))


def _trust_from(context: Context, task: Task, judgement: Judgement) -> float | None:
    """The suggested threshold on the scale of `review.trust_above`; None where that is the stated confidence's."""
    curve = kept(context, task)
    found = judgement.reliability.get(judgement.teacher.name)
    return curve.of(found.coverage.threshold) if curve and found and found.coverage else None


def rule_of(task: Task) -> Rule:
    """The gate's numbers, with how each field of an object is compared: as the task says, else by its schema."""
    return Rule(**task.gate.model_dump(exclude=_NOT_OF_THE_RULE), fields=compared(task))


def prices_of(task: Task) -> dict[str, float | None]:
    """What the costs of a verdict are counted with: US dollars, and the volume that was given. None: not known."""
    given = (task.teacher.input_price, task.teacher.output_price)
    if task.teacher.api_base != "local" and None in given:
        table = table_prices(task.teacher.model) or (None, None)
        given = (given[0] if given[0] is not None else table[0], given[1] if given[1] is not None else table[1])
    return {
        "teacher, per million tokens in": given[0],
        "teacher, per million tokens out": given[1],
        "student, per hour": task.student.price_per_hour,
        "requests a month, as given": task.gate.monthly_requests,
    }


def _measurements(context: Context, task: Task, student: Student, asked: Contestants) -> Measurements:
    """The endpoint that would serve, and what it costs. One that cannot be measured is named, with the reason."""
    absent = list(asked.absent)
    known: list[LoadMeasurement] = []
    try:
        known = load_known(context, task, student)
    except ServiceError as fault:
        absent.append(Absent(name="the endpoint under load", why=f"could not be measured: {fault}"))
    found = _loads(known[-1]) if known else []
    return Measurements(
        load=found,
        load_runs=[_told(one) for one in known],
        measured_as=known[-1].measured_as if known else "",
        student_cost=None if student.model else cost_of(context, task, found),  # a provider's costs by the token
        prices=prices_of(task),
        absent=absent,
    )


def _loads(measurement: LoadMeasurement) -> list[Load]:
    return [Load.model_validate(one) for one in measurement.load]


def _told(measurement: LoadMeasurement) -> LoadRun:
    alone = next((one for one in _loads(measurement) if one.in_flight == 1), None)
    return LoadRun(
        id=measurement.id,
        made_at=measurement.created_at,
        latency_p95_s=alone.latency_p95_s if alone else None,
        reason=measurement.reason,
        by=measurement.by,
    )


def _failed(who: Candidate, gold: Iterable[str]) -> list[str]:
    """Documents on which the call failed: nothing was answered, readable or not."""
    return [i for i in sorted(gold) if i not in who.labels or who.labels[i].outcome is Outcome.failed]


def _test_answers(context: Context, task: Task) -> Settled:
    """People's answers to test documents: where they agree, and where they do not."""
    settled = corrections.settled(context.store, task.name)
    test = {d.id for d in library.documents(context.store, task.name, Split.test)}
    gold = {i: answer for i, answer in settled.gold.items() if i in test}
    if not gold:
        raise InputError(
            f"no test document of {task.name} has an answer on which people agree: the gate measures against people, "
            "so have some of the records marked `test set` answered on the desk, and run `collect`."
        )
    return Settled(
        gold,
        disputed={i: rows for i, rows in settled.disputed.items() if i in test},
        by_majority={i: won for i, won in settled.by_majority.items() if i in test},
    )


def _verdict_id(context: Context, task: Task, student: Student, missing: Sequence[str] = ()) -> str:
    """What was judged, in a name: student, test set, rule, prices, whom it was compared with, which calls failed, and
    which measurement it rests on where the endpoint was measured again.
    """
    rival = rival_of(context, task, student)
    again = [one.id for one in loads.measured(context.store, student.hash) if one.reason]
    judged = [
        student.hash,
        gold_hash(_test_answers(context, task).gold),
        rule_hash(rule_of(task)),
        prices_hash(prices_of(task)),
        rival.hash if rival else "",
        task.teacher.model,
        teacher_prompt(context.store, task),
        prompt_fingerprint(task, teaching=False),
        *again[-1:],
        *missing,
    ]
    return f"{task.name}-{hashlib.blake2b(json.dumps(judged).encode(), digest_size=6).hexdigest()}"


def verdict_of(context: Context, task: Task, student: Student) -> Verdict | None:
    """The verdict of this very trial, if it was held before and no call failed in it."""
    wanted = _verdict_id(context, task, student)
    return next((v for v in registry.task_verdicts(context.store, task.name) if v.id == wanted), None)


def _written(context: Context, task: Task, student: Student, judgement: Judgement, id_: str) -> Verdict:
    """The report on disk, then the verdict in the store: a verdict never names a page that is not there."""
    lineage, others = _lineage(context, task, student), sections(context, task, student)
    path = context.settings.folder("reports", task.name).absolute() / f"{id_}.html"
    report.write(report.html(judgement, lineage, _texts(context, task.name, judgement), others), path)
    verdict = Verdict(
        id=id_,
        task=task.name,
        student_hash=student.hash,
        test_set_hash=judgement.test_set_hash,
        rule_hash=judgement.rule_hash,
        prices_hash=judgement.prices_hash,
        decision=judgement.ruling.decision,
        reasons=judgement.ruling.reasons,
        report={
            **report.as_dict(judgement, lineage, others),
            "summary": report.summary_markdown(judgement, lineage, str(path)),
        },
        report_path=str(path),
    )
    registry.add_verdict(context.store, verdict)
    return verdict


def rewrite(context: Context, verdict: Verdict, overrides: Sequence[Override]) -> None:
    """Put a verdict's report on disk again, from what the store keeps, with what people decided against it."""
    if verdict.report_path is None:
        return
    judgement, lineage, sections = report.from_dict(verdict.report)
    page = report.html(judgement, lineage, _texts(context, verdict.task, judgement), sections, overrides)
    report.write(page, Path(verdict.report_path))


def _texts(context: Context, task: str, judgement: Judgement) -> dict[str, str]:
    """The documents that the report quotes."""
    return {i: d.text for i, d in library.get(context.store, task, report.shown(judgement)).items()}


def _lineage(context: Context, task: Task, student: Student) -> report.Lineage:
    version = registry.dataset(context.store, task.name, student.dataset_version)
    test = _test_answers(context, task).gold
    people = [c.reviewer for c in corrections.all(context.store, task.name) if c.document_id in test]
    return report.Lineage(
        task=task.name,
        title=task.title,
        student_hash=student.hash,
        dataset_version=student.dataset_version,
        dataset_hash=version.hash if version else "",
        dataset_rows=version.rows if version else {},
        dataset_sources=version.manifest.get("sources", {}) if version else {},
        reviewers={name: people.count(name) for name in sorted(set(people))},
        task_fingerprint=task.fingerprint,
        teacher_prompt=teacher_prompt(context.store, task),
        prompt_fingerprint=str(student.training.get("prompt", "")),
        base_model=student.base_model,
        recipe=student.recipe,
        versions={
            "axolotl": str(student.training.get("axolotl", "")),
            **{name: installed(name) for name in ("litellm", "xllamacpp", "prefect", "argilla")},
        },
    )
