"""A trained run on its dataset's validation split: the figures by which settings are chosen, never those of the gate.

Kept beside the run, so it is measured once. One real row (grain: one per validation document):

    Validated(document_id="41d0c7a2b6e95f13", nats=0.0712, said="debt", right=True)
"""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from records.errors import InputError
from records.progress import Progress, silent
from records.types import Record
from training.environment import run_in_training
from training.run import TrainResult


class Validated(Record):
    """`nats`: minus the log-probability of the right answer; `said`: what the student answered."""

    document_id: str
    nats: float
    said: str
    right: bool


def validated(
    result: TrainResult,
    dataset: Path,
    training_python: Path,
    answers: Sequence[str] = (),
    progress: Progress = silent,
) -> list[Validated]:
    """The run on the validation split, by document id. `answers`: all that may be said (a choice); empty: anything.

    12 s for 13 documents of 40 tokens with SmolLM2-135M on two busy cores, most of it the start. Raises InputError
    where the dataset has no validation rows.
    """
    name = hashlib.sha256(json.dumps(list(answers)).encode()).hexdigest()[:8]
    kept = result.run / f"validation-{name}.json"
    expected = _expected(dataset)
    if not kept.is_file():
        progress("validation", 0, len(expected), "asking the student about the validation split")
        job = {
            "base": result.base_model,
            "revision": result.revision,
            "adapter": str(result.output),
            "rows": str(dataset / "validation.jsonl"),
            "answers": list(answers),
        }
        said = run_in_training(training_python, "-m", "training.validate", given=json.dumps(job))
        partial = kept.with_name(f".{kept.name}")
        partial.write_text(said, encoding="utf-8")
        os.replace(partial, kept)
    rows = {row["document_id"]: row for row in json.loads(kept.read_text(encoding="utf-8"))}
    found = [Validated(**rows[i], right=_same(rows[i]["said"], expected[i])) for i in sorted(expected)]
    note = f"{sum(row.right for row in found)} right, {fmean(row.nats for row in found):.3f} nats an answer"
    progress("validation", len(found), len(found), note)
    return found


def _expected(dataset: Path) -> dict[str, str]:
    text = (dataset / "validation.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.split("\n") if line]
    if not rows:
        raise InputError(
            f"{dataset} has no validation rows, so nothing can be chosen or measured on it: have more documents "
            "corrected (one in ten falls into the validation split)."
        )
    return {row["document_id"]: row["messages"][-1]["content"] for row in rows}


def _same(said: str, right: str) -> bool:
    """The same text, or the same JSON."""
    if said.strip() == right.strip():
        return True
    try:
        return bool(isinstance(one := json.loads(said), dict) and one == json.loads(right))
    except ValueError:
        return False
