"""Task folders for tests: a small valid one, with changes. Not a test itself."""

from pathlib import Path
from typing import Any

import yaml

from prompts.task import Task, load_task

CHOICE: dict[str, Any] = {
    "name": "mail",
    "title": "Mail",
    "instructions": "Sort the mail. Answer with one word.",
    "answer": {
        "kind": "choice",
        "labels": [
            {"name": "lease", "description": "premises and rent"},
            {"name": "debt", "description": "unpaid money"},
            {"name": "privacy", "answer": "data"},
        ],
    },
    "examples": [
        {"document": "The landlord wants more.", "answer": "lease"},
        {"document": "Third reminder, nothing came.", "answer": "debt"},
        {"document": "What do you know about me?", "answer": "privacy"},
    ],
    "teacher": {"model": "openai/tiny", "api_base": "local", "max_in_flight": 4, "retries": 3},
}

FIELDS: dict[str, Any] = {
    "name": "fields",
    "title": "Fields",
    "instructions": "Extract party and amount as JSON.",
    "answer": {
        "kind": "json",
        "schema": {
            "type": "object",
            "properties": {"party": {"type": "string"}, "amount": {"type": "number"}},
            "required": ["party"],
            "additionalProperties": False,
        },
    },
    "examples": [{"document": "Pay Anna 5.", "answer": {"party": "Anna", "amount": 5}}],
    "teacher": {"model": "openai/tiny", "api_base": "local"},
}


def write_task(folder: Path, definition: dict[str, Any] = CHOICE, **sections: Any) -> Path:
    """Write a task folder; `sections` replace whole top-level keys, a dict is merged one level deep."""
    changed = dict(definition)
    for name, value in sections.items():
        old = changed.get(name)
        changed[name] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.yaml").write_text(yaml.safe_dump(changed, sort_keys=False), encoding="utf-8")
    (folder / "guidelines.md").write_text("Read, then decide.", encoding="utf-8")
    return folder


def make_task(folder: Path, definition: dict[str, Any] = CHOICE, **sections: Any) -> Task:
    """A loaded task."""
    return load_task(write_task(folder, definition, **sections))
