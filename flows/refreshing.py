"""Suggestions on the desk follow the newer model: the teacher's prompt of today, or the student that is live.

Only where nobody has answered, and never beside a document that goes without a suggestion on purpose. What was shown
and since when is kept, so that a document's history tells it. The store says first whether there is anything to do: a
run without a newer answer asks the desk nothing.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from flows.context import Context
from flows.student import student_of
from prompts.engine import label_many
from prompts.render import prompt_fingerprint
from prompts.task import Task
from records import corrections, history, ledger, library, registry
from records.errors import ServiceError
from records.types import Label, Outcome, Role
from review.board import Board
from review.refreshing import Newer, refresh

_SAME = 0.005  # a score that differs by less is shown alike


class Refreshed(NamedTuple):
    """How many suggestions are newer now; `note`: why the student was not asked, where it should have been."""

    shown: int
    note: str = ""


def refresh_suggestions(context: Context, task: Task, board: Board, teacher: dict[str, Label]) -> Refreshed:
    """Show newer answers on the board. `teacher`: its answers of today to what is on the desk, by document."""
    store = context.store
    waiting = _waiting(context, task)
    labels, note = _student_labels(context, task, waiting) if task.review.refresh_with == "student" else (None, "")
    newest = teacher if labels is None else teacher | labels
    newer = {i: _newer(newest[i]) for i, shown in waiting.items() if i in newest and _differs(newest[i], *shown)}
    done = refresh(board, newer, context.progress) if newer else set()
    history.keep_shown(
        store,
        [
            history.Shown(
                task=task.name, document_id=i, model=newest[i].model, value=newest[i].value, score=newest[i].confidence
            )
            for i in sorted(done)
        ],
    )
    return Refreshed(len(done), note)


def waiting_ids(context: Context, task: Task) -> set[str]:
    """The documents on the desk that show a suggestion, or may, and have no answer in the store."""
    return set(_waiting(context, task))


def _waiting(context: Context, task: Task) -> dict[str, tuple[object, float | None]]:
    answered = {row.document_id for row in corrections.all(context.store, task.name)}
    return {i: shown for i, shown in history.shown(context.store, task.name).items() if i not in answered}


def _student_labels(context: Context, task: Task, ids: Iterable[str]) -> tuple[dict[str, Label] | None, str]:
    """What the live student says of these documents; None and why, where it cannot be asked."""
    live = registry.live(context.store, task.name)
    if live is None:
        return None, "no student is live"
    student, prompt = registry.student(context.store, live.student_hash), prompt_fingerprint(task, teaching=False)
    if student.training.get("prompt") != prompt:
        return None, f"{student.model_name} was trained with another prompt than today's"
    endpoint = replace(student_of(context, task, student), max_in_flight=1)
    documents = list(library.get(context.store, task.name, ids).values())
    try:
        asyncio.run(label_many(context.store, task, documents, endpoint, Role.student, context.progress))
    except ServiceError as fault:  # what was sent is on the desk; the next run asks again
        return None, f"{student.model_name} could not be asked: {fault}"
    found = ledger.newest(context.store, task.name, Role.student, endpoint.model, prompt, [d.id for d in documents])
    return found, ""


def _newer(label: Label) -> Newer:
    assert label.value is not None
    by_field = label.scores if isinstance(label.value, dict) else {}
    agent = label.model.removeprefix("openai/") if label.role is Role.student else "teacher"
    return Newer(label.value, label.confidence, by_field, agent)


def _differs(label: Label, value: object, score: float | None) -> bool:
    if label.outcome is not Outcome.answered or label.value is None:
        return False
    if label.confidence is None or score is None:
        return label.value != value or label.confidence != score
    return label.value != value or abs(label.confidence - score) > _SAME
