"""What one dataset version has that another has not: rows added, removed, answered otherwise, by split and label.

Both versions must still be what was frozen (`training.dataset.read_manifest`). Rows are compared by their document, so
the order of rows plays no part; an edited prompt changes every row's messages and is told apart from an edited answer.
One real difference:

    Difference(old="3", new="4", kept=207, added={"train": {"debt": 12, "lease": 9}}, removed={},
               changed={"train": {"debt -> lease": 2}}, prompt_changed=False, documents={"added": ["41d0..."], ...})
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from records.types import Record, Split
from training.dataset import read_manifest

Counts = dict[str, dict[str, int]]
"""{split: {label: rows}}"""
OBJECT = "(object)"


class Difference(Record):
    """Grain: one per pair of versions. Counts by split, then label; of json answers by changed top-level field."""

    old: str
    new: str
    kept: int
    added: Counts
    removed: Counts
    changed: Counts
    prompt_changed: bool
    documents: dict[str, list[str]]

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        lines = [f"**Dataset {self.old} -> {self.new}**", f"- {self.kept} rows as they were"]
        for name in ("added", "removed", "changed"):
            counts: Counts = getattr(self, name)
            total = len(self.documents[name])
            lines.append(f"- {total} {'answered otherwise' if name == 'changed' else name}")
            for split in sorted(counts):
                each = ", ".join(f"{label} {n}" for label, n in sorted(counts[split].items(), key=_most))
                lines.append(f"  - {split}: {each}")
        if self.prompt_changed:
            lines.append("- the prompt was changed: every row is rendered anew")
        return "\n".join(lines)


def compare(old: Path, new: Path, names: Mapping[str, str] | None = None) -> Difference:
    """The difference between two frozen datasets. `names`: a label's name by what the model says for it.

    Raises InputError for a folder that is no dataset, or was changed after it was frozen.
    """
    before, after = rows(old), rows(new)
    prompts = [read_manifest(folder)["prompt"] for folder in (old, new)]
    ids = {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": sorted(i for i in before.keys() & after.keys() if before[i][1] != after[i][1]),
    }
    called = dict(names or {})
    return Difference(
        old=old.name,
        new=new.name,
        kept=len(before.keys() & after.keys()) - len(ids["changed"]),
        added=_counts((after[i][0], _label(after[i][1], called)) for i in ids["added"]),
        removed=_counts((before[i][0], _label(before[i][1], called)) for i in ids["removed"]),
        changed=_counts(
            (after[i][0], said) for i in ids["changed"] for said in _changes(before[i][1], after[i][1], called)
        ),
        prompt_changed=prompts[0] != prompts[1],
        documents=ids,
    )


def rows(folder: Path) -> dict[str, tuple[str, str]]:
    """{document id: (split, answer as trained)} of a frozen dataset. Raises InputError where it was changed."""
    read_manifest(folder)
    found = {}
    for split in (Split.train, Split.validation):
        for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").split("\n"):
            if line:
                row = json.loads(line)
                found[row["document_id"]] = (split.value, row["messages"][-1]["content"])
    return found


def label_counts(answers: Iterable[tuple[str, str]], names: Mapping[str, str]) -> Counts:
    """Rows by split and label, of (split, answer as trained)."""
    return _counts((split, _label(answer, names)) for split, answer in answers)


def _counts(pairs: Iterable[tuple[str, str]]) -> Counts:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for split, label in pairs:
        found[split][label] += 1
    return {split: dict(counts) for split, counts in sorted(found.items())}


def _label(answer: str, names: Mapping[str, str]) -> str:
    if answer in names:
        return names[answer]
    return OBJECT if _object(answer) is not None else answer


def _changes(old: str, new: str, names: Mapping[str, str]) -> list[str]:
    """How an answer changed: one label for another, or the fields of an object that did."""
    one, other = _object(old), _object(new)
    if one is None or other is None:
        return [f"{_label(old, names)} -> {_label(new, names)}"]
    missing = object()
    fields = sorted(one.keys() | other.keys())
    return [f"field {name}" for name in fields if one.get(name, missing) != other.get(name, missing)]


def _object(answer: str) -> dict[str, Any] | None:
    try:
        found = json.loads(answer)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _most(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]
