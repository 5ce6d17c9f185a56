"""The way from a step to a student: at the model server of one's own, or where a provider serves it."""

import os

from flows.context import Context
from prompts.endpoint import Endpoint, endpoint_of, priced
from prompts.task import Task
from records.types import Student


def student_of(context: Context, task: Task, student: Student) -> Endpoint:
    """Where a student answers. Raises InputError where the task's privacy forbids it, a key or a price is missing."""
    return priced(endpoint_of(task, student, context.settings.models, os.environ))
