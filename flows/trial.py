"""A student on trial: everybody answers the human-checked test split, the gate decides, the report is written.

What is asked goes through the endpoints that production uses, and every answer is in the ledger before it counts.
A verdict is named after what was judged (student, test set, rule, prompts), so the same trial is recognised. It stands
if every call was answered; where some failed, the next release asks these again and judges anew.
"""

import asyncio
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.metadata import version as installed
from pathlib import Path

from evaluation import baseline, report
from evaluation.gate import Rule, gold_hash, rule_hash
from evaluation.judge import Judgement, judge
from evaluation.score import Candidate, candidate
from flows.context import Context
from flows.examples import examples_of
from flows.teacher import teacher_of
from prompts.endpoint import Endpoint, base_endpoint, endpoint_of, priced
from prompts.engine import label_many
from prompts.parse import parse
from prompts.pool import teacher_prompt
from prompts.render import prompt_fingerprint
from prompts.summary import INTERRUPTED, LabelSummary
from prompts.task import Task
from records import corrections, ledger, library, registry
from records.corrections import Settled
from records.errors import InputError, ServiceError
from records.types import Answer, Document, Outcome, Role, Split, Student, Verdict


def measure(context: Context, task: Task, student: Student) -> Verdict:
    """Ask teacher, student and base model on the test split, compare, decide, write the report and the verdict."""
    settled = _test_answers(context, task)
    documents = [d for d in library.documents(context.store, task.name, Split.test) if d.id in settled.gold]
    candidates = _candidates(context, task, student, documents)
    taught = _taught(context, task, student)
    texts = {d.id: d.text for d in documents}
    known = library.get(context.store, task.name, taught)
    context.progress("baseline", 0, 1, baseline.NAME)
    simple = baseline.predict([known[i].text for i in known], [taught[i] for i in known], texts)
    context.progress("baseline", 1, 1, baseline.NAME)
    judgement = judge(
        settled.gold,
        candidates[Role.teacher],
        candidates[Role.student],
        Rule(**task.gate.model_dump()),
        base=candidates.get(Role.base),
        baseline=simple,
        corrections=[c for c in corrections.all(context.store, task.name) if c.document_id in settled.gold],
        disputed=settled.disputed,
        wanted_precision=task.review.wanted_precision,
    )
    missing = [f"{role} {i}" for role in (Role.teacher, Role.student) for i in _failed(candidates[role], settled.gold)]
    return _written(context, task, student, judgement, texts, _verdict_id(context, task, student, missing))


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
    return Settled(gold, {i: rows for i, rows in settled.disputed.items() if i in test})


def _verdict_id(context: Context, task: Task, student: Student, missing: Sequence[str] = ()) -> str:
    """What was judged, in a name: student, test set, rule, whom it was compared with, and which calls failed."""
    judged = [
        student.hash,
        gold_hash(_test_answers(context, task).gold),
        rule_hash(Rule(**task.gate.model_dump())),
        task.teacher.model,
        teacher_prompt(context.store, task),
        prompt_fingerprint(task, teaching=False),
        *missing,
    ]
    return f"{task.name}-{hashlib.blake2b(json.dumps(judged).encode(), digest_size=6).hexdigest()}"


def verdict_of(context: Context, task: Task, student: Student) -> Verdict | None:
    """The verdict of this very trial, if it was held before and no call failed in it."""
    wanted = _verdict_id(context, task, student)
    return next((v for v in registry.task_verdicts(context.store, task.name) if v.id == wanted), None)


def _candidates(context: Context, task: Task, student: Student, documents: list[Document]) -> dict[Role, Candidate]:
    """All three models' answers to the test documents. Own models one call at a time: a latency without a queue."""
    local = context.settings.models
    endpoints = {
        Role.teacher: teacher_of(context, task),
        Role.student: replace(priced(endpoint_of(task, student, local, os.environ)), max_in_flight=1),
        Role.base: replace(base_endpoint(task, local), max_in_flight=1),
    }
    found = {role: _candidate(context, task, role, endpoints[role], documents) for role in (Role.teacher, Role.student)}
    if student.model:  # at a provider: the untuned base is not ours to ask
        return found
    try:
        found[Role.base] = _candidate(context, task, Role.base, endpoints[Role.base], documents)
    except ServiceError as fault:
        if task.student.api_base == "local":
            raise
        # A server that holds one model holds the student now: the report is then without the base, and says so.
        context.progress("asking base", 0, len(documents), f"left out: {fault}")
    return found


def _candidate(context: Context, task: Task, role: Role, endpoint: Endpoint, documents: list[Document]) -> Candidate:
    def told(stage: str, done: int, total: int, note: str) -> None:
        context.progress(f"asking {role}", done, total, note)

    examples = examples_of(context, task) if role is Role.teacher else None
    done = asyncio.run(label_many(context.store, task, documents, endpoint, role, told, examples=examples))
    _check_all_were_asked(task, role, done)
    prompt = prompt_fingerprint(task, role is Role.teacher, examples.pool if examples else None)
    answers = ledger.labels(context.store, task.name, role, endpoint.model, prompt)
    price = None if endpoint.dialect == "hosted" or role is Role.teacher else task.student.price_per_hour
    name = endpoint.model.removeprefix("openai/")
    return candidate(f"{name} (untuned)" if role is Role.base else name, role, answers, price)


def _check_all_were_asked(task: Task, role: Role, done: LabelSummary) -> None:
    """What was never asked must not count as wrong: a teacher that was stopped early would lose to any student."""
    if done.stopped == INTERRUPTED:
        raise KeyboardInterrupt
    if done.stopped:
        raise InputError(
            f"the {role} of {task.name} was asked about {done.known + done.asked} of {done.documents} test documents "
            f"only ({done.stopped}), so nothing was judged: raise teacher.budget_usd in task.yaml, and release again."
        )


def _taught(context: Context, task: Task, student: Student) -> dict[str, Answer]:
    """What the student was trained on: answers by document, of its dataset's train split."""
    version = registry.dataset(context.store, task.name, student.dataset_version)
    if version is None:
        return {}
    lines = (Path(version.path) / "train.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    answers = {row["document_id"]: parse(task, row["messages"][-1]["content"]).value for row in rows}
    return {i: answer for i, answer in answers.items() if answer is not None}


def _written(
    context: Context, task: Task, student: Student, judgement: Judgement, texts: dict[str, str], id_: str
) -> Verdict:
    """The report on disk, then the verdict in the store: a verdict never names a page that is not there."""
    lineage = _lineage(context, task, student)
    path = context.settings.folder("reports", task.name).absolute() / f"{id_}.html"
    report.write(report.html(judgement, lineage, texts), path)
    verdict = Verdict(
        id=id_,
        task=task.name,
        student_hash=student.hash,
        test_set_hash=judgement.test_set_hash,
        rule_hash=judgement.rule_hash,
        decision=judgement.ruling.decision,
        reasons=judgement.ruling.reasons,
        report={
            **report.as_dict(judgement, lineage),
            "summary": report.summary_markdown(judgement, lineage, str(path)),
        },
        report_path=str(path),
    )
    registry.add_verdict(context.store, verdict)
    return verdict


def _lineage(context: Context, task: Task, student: Student) -> report.Lineage:
    version = registry.dataset(context.store, task.name, student.dataset_version)
    return report.Lineage(
        task=task.name,
        title=task.title,
        student_hash=student.hash,
        dataset_version=student.dataset_version,
        dataset_hash=version.hash if version else "",
        prompt_fingerprint=str(student.training.get("prompt", "")),
        base_model=student.base_model,
        recipe=student.recipe,
        versions={
            "axolotl": str(student.training.get("axolotl", "")),
            **{name: installed(name) for name in ("litellm", "xllamacpp", "prefect", "argilla")},
        },
    )
