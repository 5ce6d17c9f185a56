"""Rare labels seen more often: whole repeats of their rows, up to a cap, in the order of the rows.

Axolotl has no weight by class, so this is the honest way to weigh one: the row is trained again. A dataset version
stays one row per document; the repeats are written for one run, into its folder, and are part of that run's name. What
it costs is told by `Balanced`: more rows, more time, and a rare label's few wordings learnt by heart, which the cap
limits.

    labels debt 120, lease 40, data 6, at most 3 repeats  ->  debt x1, lease x3, data x3: 258 rows instead of 166
"""

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from records.types import Record


class Balanced(Record):
    """A run's training file. `repeats`: how often each answer's rows are in it, by the answer as trained."""

    path: Path
    rows: int
    repeats: dict[str, int]


def repeats_of(answers: Sequence[str], most: int) -> dict[str, int]:
    """How often each answer's rows are trained: the commonest's count over its own, rounded down, 1 to `most`."""
    counts = Counter(answers)
    largest = max(counts.values(), default=0)
    return {answer: max(1, min(most, largest // n)) for answer, n in sorted(counts.items())}


def write(dataset: Path, run: Path, most: int) -> Balanced:
    """The train rows of a frozen dataset with their repeats, as run/train.jsonl. The same call, the same bytes."""
    source = dataset / "train.jsonl"
    lines, answers = _lines(source), answers_of(source)
    times = repeats_of(answers, most)
    repeated = [line for n in range(most) for line, said in zip(lines, answers, strict=True) if n < times[said]]
    path, partial = run / "train.jsonl", run / ".train.jsonl"
    partial.write_text("".join(f"{line}\n" for line in repeated), encoding="utf-8", newline="\n")
    os.replace(partial, path)
    return Balanced(path=path, rows=len(repeated), repeats=times)


def answers_of(path: Path) -> list[str]:
    """The answer of each row of a training file, as trained."""
    return [json.loads(line)["messages"][-1]["content"] for line in _lines(path)]


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").split("\n") if line]
