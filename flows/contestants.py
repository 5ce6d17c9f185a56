"""Everybody who answers the test split in a trial: teacher, student, the live student, the base model, baselines.

Models are asked at the endpoints that production uses, and every answer is in the ledger before it counts. Who cannot
be asked is named with the reason: the report then shows that, and never an empty place.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from evaluation import baseline, frozen
from evaluation.judge import LIVE, Absent
from evaluation.score import Candidate, candidate
from flows.context import Context
from flows.examples import examples_of
from flows.student import student_of
from flows.teacher import teacher_of
from prompts.endpoint import Endpoint, base_endpoint
from prompts.engine import label_many
from prompts.parse import parse
from prompts.render import prompt_fingerprint
from prompts.summary import INTERRUPTED, LabelSummary
from prompts.task import Task, restore_task
from records import ledger, library, registry, taskbook
from records.errors import InputError, ServiceError
from records.types import Answer, Document, Role, Student


@dataclass
class Contestants:
    """Who was asked. `predictions`: of baselines that were trained here, by name."""

    teacher: Candidate
    student: Candidate
    others: list[Candidate] = field(default_factory=list)
    predictions: dict[str, dict[str, Answer]] = field(default_factory=dict)
    absent: list[Absent] = field(default_factory=list)


def contestants(context: Context, task: Task, student: Student, documents: list[Document]) -> Contestants:
    """All answers to the test documents. Own models one call at a time: a latency without a queue."""
    local = context.settings.models
    found = Contestants(
        _asked(context, task, Role.teacher, teacher_of(context, task), documents),
        _asked(context, task, Role.student, _alone(student_of(context, task, student)), documents),
    )
    _ask_rival(context, task, student, documents, found)
    for role in (Role.base, Role.shown):
        why = _not_asked(task, student, role)
        if why:
            found.absent.append(Absent(name=_called(task.student.base_model, role), why=why))
            continue
        try:
            found.others.append(_asked(context, task, role, _alone(base_endpoint(task, local)), documents))
        except ServiceError as fault:
            if task.student.api_base == "local":
                raise
            # A server that holds one model holds the student now: the report is then without the base, and says so.
            found.absent.append(Absent(name=_called(task.student.base_model, role), why=f"could not be asked: {fault}"))
    _train_baselines(context, task, student, documents, found)
    return found


def _not_asked(task: Task, student: Student, role: Role) -> str:
    """Why a base model is not asked in this role; empty where it is."""
    if student.model:
        return "is at the provider that trained the student"
    if role is not Role.shown:
        return ""
    if task.teacher.api_base == "local" and task.teacher.model == f"openai/{task.student.base_model}":
        return "is the teacher of this task"
    return "" if task.examples or task.teacher.list_labels else "the task has no examples to show"


def rival_of(context: Context, task: Task, student: Student) -> Student | None:
    """The student that must not be better: the live one; where this one is live, the one that was so before it.

    After a rollback that is the one rolled back to, and one that was taken back is never it.
    """
    others = [r.student_hash for r in registry.lived(context.store, task.name) if r.student_hash != student.hash]
    return registry.student(context.store, others[0]) if others else None


def _ask_rival(context: Context, task: Task, student: Student, documents: list[Document], found: Contestants) -> None:
    """The live student, with the task as it was trained on it: as the gateway asks it."""
    rival = rival_of(context, task, student)
    if rival is None:
        return
    known = taskbook.definition(context.store, task.name, str(rival.training.get("task", "")))
    taught = restore_task(*known) if known else task
    endpoint = _alone(student_of(context, taught, rival))
    try:
        asked = _asked(context, taught, Role.student, endpoint, documents)
    except ServiceError as fault:  # what it answered before is known; the rest counts as right for it
        found.absent.append(Absent(name=f"{rival.model_name} (live)", why=f"could not be asked on all: {fault}"))
        asked = _answers(context, taught, Role.student, endpoint, None)
    found.others.append(asked.model_copy(update={"name": f"{asked.name} (live)", "role": LIVE}))


def _asked(context: Context, task: Task, role: Role, endpoint: Endpoint, documents: list[Document]) -> Candidate:
    def told(stage: str, done: int, total: int, note: str) -> None:
        context.progress(f"asking {role}", done, total, note)

    examples = examples_of(context, task) if role is Role.teacher else None
    done = asyncio.run(label_many(context.store, task, documents, endpoint, role, told, examples=examples))
    _check_all_were_asked(task, role, done)
    return _answers(context, task, role, endpoint, examples.pool if examples else None)


def _answers(context: Context, task: Task, role: Role, endpoint: Endpoint, pool: str | None) -> Candidate:
    prompt = prompt_fingerprint(task, role.taught, pool)
    answers = ledger.labels(context.store, task.name, role, endpoint.model, prompt)
    price = None if role is Role.teacher or endpoint.dialect == "hosted" else task.student.price_per_hour
    return candidate(_called(endpoint.model.removeprefix("openai/"), role), role, answers, price)


def _called(model: str, role: Role) -> str:
    return model + {Role.base: " (untuned)", Role.shown: " (untuned, with examples)"}.get(role, "")


def _alone(endpoint: Endpoint) -> Endpoint:
    return replace(endpoint, max_in_flight=1)


def _check_all_were_asked(task: Task, role: Role, done: LabelSummary) -> None:
    """What was never asked must not count as wrong: a teacher that was stopped early would lose to any student."""
    if done.stopped == INTERRUPTED:
        raise KeyboardInterrupt
    if done.stopped:
        raise InputError(
            f"the {role} of {task.name} was asked about {done.known + done.asked} of {done.documents} test documents "
            f"only ({done.stopped}), so nothing was judged: raise teacher.budget_usd in task.yaml, and release again."
        )


def _train_baselines(
    context: Context, task: Task, student: Student, documents: Sequence[Document], found: Contestants
) -> None:
    """Classifiers trained on the very rows that the student was trained on."""
    taught = _taught(context, task, student)
    known = library.get(context.store, task.name, taught)
    texts, answers = [known[i].text for i in known], [taught[i] for i in known]
    asked = {d.id: d.text for d in documents}
    context.progress("baselines", 0, 2, baseline.NAME)
    found.predictions[baseline.NAME] = baseline.predict(texts, answers, asked)
    context.progress("baselines", 1, 2, frozen.NAME)
    if task.gate.embeddings is None:
        why = "no model given: gate.embeddings in task.yaml names the folder of one"
        found.absent.append(Absent(name=frozen.NAME, why=why))
    else:
        try:
            folder = task.folder / Path(task.gate.embeddings).expanduser()
            found.predictions[frozen.NAME] = frozen.predict(texts, answers, asked, folder)
        except InputError as fault:
            found.absent.append(Absent(name=frozen.NAME, why=str(fault)))
    context.progress("baselines", 2, 2, "")


def _taught(context: Context, task: Task, student: Student) -> dict[str, Answer]:
    """What the student was trained on: answers by document, of its dataset's train split."""
    version = registry.dataset(context.store, task.name, student.dataset_version)
    if version is None:
        return {}
    lines = (Path(version.path) / "train.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    answers = {row["document_id"]: parse(task, row["messages"][-1]["content"]).value for row in rows}
    return {i: answer for i, answer in answers.items() if answer is not None}
