"""Documents that were asked about and have no answer: which they are, so that they alone can be asked about again."""

from collections.abc import Collection
from typing import Literal

from flows.context import Context
from prompts.pool import teacher_prompt
from prompts.task import Task
from records import ledger
from records.types import Outcome, Role

Unanswered = Literal["failed", "unreadable", "refused"]
"""How asking ended without an answer. `failed` is asked again by every run, the others only when a person says so."""


def unanswered(context: Context, task: Task, outcomes: Collection[Outcome]) -> list[str]:
    """Ids of the documents on which asking the task's teacher, as it is now, ended so."""
    prompt = teacher_prompt(context.store, task)
    return ledger.ids_with(context.store, task.name, Role.teacher, task.teacher.model, prompt, outcomes)
