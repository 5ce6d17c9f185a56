"""Agreement of the people at the desk: of all, by field, by label, by pair of reviewers, and what they mix up.

Of an object each top-level field is compared by itself (alpha by field), beside the object as a whole: two people who
differ in one of twelve fields agree on eleven. A label's alpha is that of "this label or another". Discarded answers
say nothing. Answers given beside a shown suggestion agree more than people do by themselves, so the figures of blind
documents (the test split) stand apart: `evaluation.ceiling`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from pydantic import Field

from evaluation.agreement import Agreement, agreement, kappa, key
from evaluation.interval import Estimate, wilson
from records.types import Answer, Correction, Record

ABSENT = "absent"
MOST_LABELS = 200


class LabelAgreement(Record):
    """One label against all others. `said`: how many answers were this label, in documents with several answers."""

    label: str
    said: int
    alpha: Estimate


class ReviewerPair(Record):
    """Two reviewers on the documents that both answered."""

    first: str
    second: str
    documents: int
    agreed: Estimate
    kappa: Estimate


class MixedUp(Record):
    """Two answers (labels, or of objects the field's name twice) that people gave to one document; how often."""

    one: str
    other: str
    documents: int


class PeopleAgreement(Record):
    """All of it. `answered`: documents with an answer; `discarded`: answers that discarded theirs."""

    answered: int
    discarded: int
    whole: Agreement
    fields: dict[str, Agreement] = Field(default_factory=dict)
    labels: list[LabelAgreement] = Field(default_factory=list)
    pairs: list[ReviewerPair] = Field(default_factory=list)
    mixed_up: list[MixedUp] = Field(default_factory=list)


def people_agreement(corrections: Iterable[Correction], confidence: float = 0.95) -> PeopleAgreement:
    """Measure it, from all answers to a task's documents (or of one split)."""
    rows = list(corrections)
    said = _by_document(rows)
    several = [list(answers.values()) for answers in said.values() if len(answers) > 1]
    return PeopleAgreement(
        answered=len(said),
        discarded=sum(row.discarded for row in rows),
        whole=agreement([[key(value) for value in values] for values in several], confidence),
        fields=by_field(several, confidence),
        labels=_by_label(several, confidence),
        pairs=_pairs(said, confidence),
        mixed_up=_mixed_up(several),
    )


def units(corrections: Iterable[Correction]) -> list[list[str]]:
    """What was said of each document with two answers or more, as `agreement` takes it."""
    found = (list(answers.values()) for answers in _by_document(corrections).values())
    return [[key(value) for value in values] for values in found if len(values) > 1]


def _by_document(rows: Iterable[Correction]) -> dict[str, dict[str, Answer]]:
    """Document -> reviewer -> answer."""
    said: dict[str, dict[str, Answer]] = defaultdict(dict)
    for row in rows:
        if not row.discarded and row.value is not None:
            said[row.document_id][row.reviewer] = row.value
    return dict(said)


def by_field(several: Sequence[Sequence[Answer]], confidence: float = 0.95) -> dict[str, Agreement]:
    """Agreement of each top-level field of objects; a field that one has and another has not is a difference."""
    objects = [values for values in several if all(isinstance(value, dict) for value in values)]
    names = sorted({name for values in objects for value in values for name in value})
    return {name: agreement([[_field(v, name) for v in values] for values in objects], confidence) for name in names}


def _field(value: Answer, name: str) -> str:
    return key(value[name]) if isinstance(value, dict) and name in value else ABSENT


def _by_label(several: Sequence[Sequence[Answer]], confidence: float) -> list[LabelAgreement]:
    choices = [[v for v in values if isinstance(v, str)] for values in several]
    said = Counter(value for values in choices for value in values)
    if len(said) > MOST_LABELS:
        return []
    return [
        LabelAgreement(
            label=label,
            said=count,
            alpha=agreement([["yes" if v == label else "no" for v in values] for values in choices], confidence).alpha,
        )
        for label, count in sorted(said.items())
    ]


def _pairs(said: Mapping[str, Mapping[str, Answer]], confidence: float) -> list[ReviewerPair]:
    together: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for answers in said.values():
        for one, other in combinations(sorted(answers), 2):
            together[one, other].append((key(answers[one]), key(answers[other])))
    return [
        ReviewerPair(
            first=one,
            second=other,
            documents=len(pairs),
            agreed=wilson(sum(a == b for a, b in pairs), len(pairs), confidence),
            kappa=kappa(pairs, confidence),
        )
        for (one, other), pairs in sorted(together.items())
    ]


def _mixed_up(several: Sequence[Sequence[Answer]]) -> list[MixedUp]:
    counts: Counter[tuple[str, str]] = Counter()
    for values in several:
        counts.update({pair for a, b in combinations(values, 2) for pair in apart(a, b)})
    return [MixedUp(one=a, other=b, documents=n) for (a, b), n in sorted(counts.items(), key=lambda c: (-c[1], c[0]))]


def apart(one: Answer, other: Answer) -> list[tuple[str, str]]:
    """In what two answers differ: the pair of labels in order of the alphabet, or each field's name twice."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted(one.keys() | other.keys())
        return [(name, name) for name in names if _field(one, name) != _field(other, name)]
    a, b = sorted((key(one), key(other)))
    return [(a, b)] if a != b else []
