"""A task is a folder: `task.yaml` (strict), `guidelines.md` for the reviewers. Loaded whole or refused with all faults.

prompts/legal_intake/
    task.yaml        instructions, labels, examples, teacher, student, review, gate   (see prompts.definition)
    guidelines.md    what the reviewers read beside each document

task = load_task(Path("prompts/legal_intake"))
"""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from prompts.definition import ChoiceAnswer, Example, JsonAnswer, LabelSpec, Task, TaskFile, Teacher
from prompts.faults import sense_faults, shape_faults
from prompts.strict_yaml import read_text, read_yaml
from records.errors import InputError

__all__ = [
    "ChoiceAnswer",
    "Example",
    "JsonAnswer",
    "LabelSpec",
    "Task",
    "TaskFile",
    "Teacher",
    "load_task",
    "restore_task",
]


def load_task(folder: Path) -> Task:
    """The task in `folder`. Raises InputError that names every fault: file, path in it, value and cure."""
    folder = Path(folder)
    if not (folder / "task.yaml").is_file():
        raise InputError(f"{folder}: no task.yaml in there. A task is a folder with task.yaml and guidelines.md.")
    data = read_yaml(folder / "task.yaml")
    faults = [f"task.yaml: {fault}" for fault in sense_faults(data)]
    shape: TaskFile | None = None
    try:
        shape = TaskFile.model_validate(data)
    except ValidationError as error:
        faults = [f"task.yaml: {fault}" for fault in shape_faults(error)] + faults
    guidelines = _guidelines(folder, faults)
    if faults or shape is None:
        head = f"{folder}: {len(faults)} fault{'s' if len(faults) > 1 else ''}"
        raise InputError("\n  - ".join([head, *faults]))
    return Task(**{name: getattr(shape, name) for name in TaskFile.model_fields}, guidelines=guidelines, folder=folder)


def restore_task(definition: dict[str, Any], folder: Path) -> Task:
    """A task from what `Task.definition` gave: the version that a student was trained with."""
    return Task(**definition, folder=folder)


def _guidelines(folder: Path, faults: list[str]) -> str:
    try:
        text = read_text(folder / "guidelines.md")
    except InputError as error:
        faults.append(str(error))
        return ""
    if not text.strip():
        faults.append("guidelines.md: empty; write for the reviewers how to decide")
    return text
