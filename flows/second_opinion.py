"""What the newest student makes of the teacher's answers: read from the store, or asked for where a run says so.

From the second round on a student is there. Where it answers otherwise than its teacher, one of the two is wrong, and a
person's look is worth most. Asking it costs time and no money; every answer is kept and never asked for again.
"""

import asyncio
import math
from collections.abc import Mapping

from evaluation.fields import Comparison
from evaluation.score import score
from flows.asking import Asked, summed
from flows.comparing import compared
from flows.context import Context
from flows.student import student_of
from prompts.calibration import logits
from prompts.engine import label_many
from prompts.render import prompt_fingerprint
from prompts.scoring import choose
from prompts.task import Task
from records import corrections, kindred, ledger, library, registry
from records.errors import InputError
from records.types import Label, Outcome, Role, Split, Student
from review.worth import Opinion

_UNSAID = 0.5
"""How sure a student is taken to be that does not say."""


def ask_student(context: Context, task: Task) -> Asked:
    """Ask the newest student about every document that no person has answered, but for the test split.

    Raises InputError where there is none yet, ServiceError where it is not served.
    """
    student = _newest(context, task)
    if student is None:
        raise InputError(f"{task.name} has no student yet that could be asked: `train` makes the first one.")
    answered = {row.document_id for row in corrections.all(context.store, task.name)}
    ids = [i for i in library.Stream(context.store, task.name).ids if i not in answered]
    places = kindred.places(context.store, task.name, ids)
    chosen = [i for i in ids if places[i].split in (Split.train, Split.validation)]
    endpoint = student_of(context, task, student)
    documents = library.Stream(context.store, task.name, chosen)

    def told(stage: str, done: int, total: int, note: str) -> None:
        context.progress("asking the student", done, total, note)

    return summed(asyncio.run(label_many(context.store, task, documents, endpoint, Role.student, told)))


def opinions(context: Context, task: Task, labels: Mapping[str, Label]) -> dict[str, Opinion]:
    """The newest student's opinion of these answers (by document), as far as it is in the store. No call."""
    student = _newest(context, task)
    if student is None:
        return {}
    prompt, model = prompt_fingerprint(task, teaching=False), f"openai/{student.model_name}"
    said, fields = ledger.newest(context.store, task.name, Role.student, model, prompt, labels), compared(task)
    return {
        i: opinion(labels[i], own, fields)
        for i, own in said.items()
        if own.outcome is Outcome.answered and labels[i].value is not None
    }


def opinion(teacher: Label, student: Label, fields: Mapping[str, Comparison]) -> Opinion:
    """Whether the student says the same, and how likely it finds what the teacher said, by its scores if it has any.

    Objects say the same where the gate would take one for the other (`flows.comparing`).
    """
    assert teacher.value is not None
    agrees = score(student.document_id, student.outcome, student.value, teacher.value, fields).right
    scores = logits(student)
    if scores and isinstance(teacher.value, str) and teacher.value in scores:
        chosen, sure = choose(scores, None)
        found = scores[teacher.value] - scores[chosen]
        return Opinion(agrees, sure * math.exp(found))
    sure = _UNSAID if student.confidence is None else student.confidence
    return Opinion(agrees, sure if agrees else 1 - sure)


def _newest(context: Context, task: Task) -> Student | None:
    students = registry.task_students(context.store, task.name)
    return students[-1] if students else None
