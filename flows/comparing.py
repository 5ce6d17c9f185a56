"""How a task's objects are compared with people's: in the gate, in the audit, and wherever a confidence is measured.

One place, so that what is an error to one of them is one to all.
"""

from evaluation.fields import Comparison, comparisons
from prompts.task import JsonAnswer, Task


def compared(task: Task) -> dict[str, Comparison]:
    """How each field of an answer is compared: as `gate.fields` says, else by its schema. Empty for a choice."""
    if not isinstance(task.answer, JsonAnswer):
        return {}
    return comparisons(task.answer.schema_, {name: one.model_dump() for name, one in task.gate.fields.items()})
