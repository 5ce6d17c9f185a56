"""Where a task's learning curves are kept, by the dataset they were measured on. `curve` writes, the report reads.

.retort/runs/legal_intake/curves/3f9c01d2a4b7.json      a `LearningCurve`
"""

import os
from pathlib import Path

from evaluation.learning_curve import LearningCurve
from flows.context import Context


def curve_of(context: Context, task_name: str, dataset_hash: str) -> LearningCurve | None:
    """The curve that was measured on the dataset of this hash, if one was."""
    path = _place(context, task_name, dataset_hash)
    return LearningCurve.model_validate_json(path.read_text(encoding="utf-8")) if path.is_file() else None


def keep_curve(context: Context, found: LearningCurve) -> None:
    """Keep a curve in the place of an earlier one on the same dataset."""
    path = _place(context, found.task, found.dataset_hash)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)


def _place(context: Context, task_name: str, dataset_hash: str) -> Path:
    return context.settings.folder("runs", task_name, "curves").absolute() / f"{dataset_hash[:12]}.json"
