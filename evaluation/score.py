"""Score one answer against one gold answer; many are aggregated elsewhere (`aggregate`).

A choice is right when it is the gold label. An object (json) is right when every field is, and says which were; when a
field is, `evaluation.fields` says. An answer that could not be read is an outcome of its own: never right, never empty.

    Scored(document_id="41d0c7a2b6e95f13", outcome="answered", gold="lease", answer="debt", right=False, fields={})
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from evaluation.fields import EXACT, Comparison, is_right, set_f1
from evaluation.fields import same as same
from records.types import Answer, Label, Outcome, Record


class Candidate(Record):
    """A model on trial: its labels by document id. `role`: teacher, student, base, shown (base with examples) or live.

    `price_per_hour` (USD) of a self-hosted model's machine, and the throughput measured on it (documents per second;
    `None`: one document after another, at the labels' latency). Without a price the labels' own `cost_usd` counts.
    """

    name: str
    role: str
    labels: dict[str, Label]
    price_per_hour: float | None = None
    documents_per_second: float | None = None


class Scored(Record):
    """One answer beside gold. `fields`: right or wrong by top-level field, for json answers only; `shares`: the F1 of
    those that are compared as sets.
    """

    document_id: str
    outcome: Outcome
    gold: Answer
    answer: Answer | None
    right: bool
    fields: dict[str, bool] = Field(default_factory=dict)
    shares: dict[str, float] = Field(default_factory=dict)


def candidate(
    name: str,
    role: str,
    labels: Iterable[Label],
    price_per_hour: float | None = None,
    documents_per_second: float | None = None,
) -> Candidate:
    """A candidate from its labels in the order they were made; a document's newest label counts."""
    by_document = {label.document_id: label for label in labels}
    return Candidate(
        name=name,
        role=role,
        labels=by_document,
        price_per_hour=price_per_hour,
        documents_per_second=documents_per_second,
    )


def score(
    document_id: str,
    outcome: Outcome,
    answer: Answer | None,
    gold: Answer,
    fields: Mapping[str, Comparison] | None = None,
) -> Scored:
    """Score one answer. Only an `answered` outcome can be right. `fields`: how each is compared; else exactly."""
    answered = outcome is Outcome.answered and answer is not None
    given = answer if answered and isinstance(answer, dict) else {}
    by_field, shares = _by_field(given, gold, fields or {}) if isinstance(gold, dict) else ({}, {})
    right = all(by_field.values()) and isinstance(answer, dict) if by_field else same(answer, gold)
    return Scored(
        document_id=document_id,
        outcome=outcome,
        gold=gold,
        answer=answer if answered else None,
        right=answered and right,
        fields=by_field,
        shares=shares,
    )


def _by_field(
    given: Mapping[str, Any], gold: Mapping[str, Any], fields: Mapping[str, Comparison]
) -> tuple[dict[str, bool], dict[str, float]]:
    """Right or wrong by field that gold or the answer has, and the F1 of the sets."""
    right, shares = {}, {}
    for name in sorted(gold.keys() | given.keys()):
        by, both = fields.get(name, EXACT), name in given and name in gold
        right[name] = both and is_right(by, given[name], gold[name])
        if by.how == "set":
            shares[name] = set_f1(given[name], gold[name]) if both else 0.0
    return right, shares


def score_candidate(
    who: Candidate, gold: Mapping[str, Answer], fields: Mapping[str, Comparison] | None = None
) -> list[Scored]:
    """Score a model's labels on every gold document, in the order of ids. One without a label counts as failed."""
    scored = []
    for document_id, truth in sorted(gold.items()):
        label = who.labels.get(document_id)
        outcome = label.outcome if label else Outcome.failed
        scored.append(score(document_id, outcome, label.value if label else None, truth, fields))
    return scored


def score_answers(
    answers: Mapping[str, Answer], gold: Mapping[str, Answer], fields: Mapping[str, Comparison] | None = None
) -> list[Scored]:
    """Score plain predictions (a baseline's) on every gold document, in the order of ids."""
    return [
        score(i, Outcome.answered if i in answers else Outcome.failed, answers.get(i), truth, fields)
        for i, truth in sorted(gold.items())
    ]
