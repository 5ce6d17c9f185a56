"""Labels that change while their answers stay: what `was:` in `task.yaml` says became of the labels there were.

    - {name: compliance, was: [permit]}                 renamed, or taken in: answers with `permit` are `compliance`
    - {name: office, was: [lease]}                      split: answers with `lease` say too little now, and their
    - {name: warehouse, was: [lease]}                   documents are asked about again, with the old answer shown

An added label says nothing. One that is dropped must be some other label's past, or its answers stand in the way of
the next training, which says so. Pure.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


def became(past: Iterable[tuple[str, Iterable[str]]]) -> dict[str, str | None]:
    """Old names to new ones, None where several labels claim one. `past`: each label's name and its old names."""
    claims = [(old, name) for name, olds in past for old in olds]
    times = Counter(old for old, _ in claims)
    return {old: name if times[old] == 1 else None for old, name in claims}


def past_faults(labels: Iterable[Mapping[str, Any]], names: Iterable[str]) -> list[str]:
    """A label that is still there cannot be another's past: nobody could tell its old answers from its new ones."""
    present = set(names)
    return [
        f"answer.labels: {old!r} is a label, and the past (`was`) of {label['name']!r}; an answer from before the "
        "change could not be told from one after it: give the part that stays a new name too"
        for label in labels
        for old in label.get("was") or ()
        if isinstance(old, str) and old in present
    ]
