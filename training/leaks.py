"""Does a split know another's documents? Exact and near-duplicates across splits, found before a dataset is frozen.

A document's split is settled when it arrives (`records.clusters`), so there should be none. This looks again, at the
texts themselves and from the dataset's side: documents from before Retort looked for near-duplicates, a store that was
edited, an import that went past the library. A leak makes the gate's figure a lie, so it is an error, not a note.

Near is what `records.near` calls near (a Jaccard similarity of word triples of 0.8 or more), by the same bands: a pair
at 0.8 is found with a probability of 95 %, one at 0.9 with 99.99 %. About 1 s per 1,000 documents of a page.

    Leak(trained="41d0c7a2b6e95f13", held="9b2e...", split="test", similarity=0.93)
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from records.errors import InputError
from records.near import THRESHOLD, bands_of, similarity
from records.split import canonical

_NAMED = 5


class Leak(NamedTuple):
    """A document that is trained on and one of another split (`validation`, `test`) that is nearly the same."""

    trained: str
    held: str
    split: str
    similarity: float


def find(trained: Mapping[str, str], held: Mapping[str, Mapping[str, str]]) -> list[Leak]:
    """All leaks. `trained`: texts of the train split by document id; `held`: the same of each other split by its name.

    Of several texts that are the same but for digits and punctuation, the first stands for all in the comparison.
    """
    trained_by, bands = _distinct(trained), defaultdict(set)
    for words, ids in trained_by.items():
        for band in bands_of(trained[ids[0]]):
            bands[band].add(words)
    found = []
    for split, texts in held.items():
        for words, ids in _distinct(texts).items():
            text = texts[ids[0]]
            near = {other for band in bands_of(text) for other in bands.get(band, ())} | ({words} & trained_by.keys())
            for other in sorted(near):
                alike = 1.0 if other == words else similarity(text, trained[trained_by[other][0]])
                if alike >= THRESHOLD:
                    found += [Leak(one, two, split, round(alike, 3)) for one in trained_by[other] for two in ids]
    return sorted(found)


def refuse(task: str, leaks: list[Leak]) -> None:
    """Raise InputError that names the first pairs, where there are any."""
    if not leaks:
        return
    shown = "; ".join(f"{one.trained} in {one.split}'s {one.held} ({one.similarity:.2f})" for one in leaks[:_NAMED])
    more = f" and {len(leaks) - _NAMED} more" if len(leaks) > _NAMED else ""
    raise InputError(
        f"{len(leaks)} training rows of {task} are nearly the same as documents that are held out: {shown}{more}. "
        "Trained on, they would make validation and test figures too good. Set training.leaks: leave_out in task.yaml "
        "to train without these rows."
    )


def _distinct(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """Document ids by the words of their text; a text without letters stands for itself."""
    found: dict[str, list[str]] = defaultdict(list)
    for id_, text in texts.items():
        found[canonical(text) or text.strip()].append(id_)
    return found
