"""Score one answer against one gold answer; many are aggregated elsewhere (`aggregate`).

A choice is right when it is the gold label. An object (json) is right when every field is, and says which were. An
answer that could not be read is an outcome of its own: it is never right, and never an empty answer.

    Scored(document_id="41d0c7a2b6e95f13", outcome="answered", gold="lease", answer="debt", right=False, fields={})
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from records.types import Answer, Label, Outcome, Record


class Candidate(Record):
    """A model on trial: its labels by document id. `role`: teacher, student or base.

    `price_per_hour` (USD) of a self-hosted model's machine, and the throughput measured on it (documents per second;
    `None`: one document after another, at the labels' latency). Without a price the labels' own `cost_usd` counts.
    """

    name: str
    role: str
    labels: dict[str, Label]
    price_per_hour: float | None = None
    documents_per_second: float | None = None


class Scored(Record):
    """One answer beside gold. `fields`: right or wrong by top-level field, for json answers only."""

    document_id: str
    outcome: Outcome
    gold: Answer
    answer: Answer | None
    right: bool
    fields: dict[str, bool] = Field(default_factory=dict)


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


def same(one: Any, other: Any) -> bool:
    """JSON equality: 1 equals 1.0, but `true` is not 1; the order of keys plays no part, that of a list does."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def score(document_id: str, outcome: Outcome, answer: Answer | None, gold: Answer) -> Scored:
    """Score one answer. Only an `answered` outcome can be right."""
    answered = outcome is Outcome.answered and answer is not None
    fields: dict[str, bool] = {}
    if isinstance(gold, dict):
        given = answer if answered and isinstance(answer, dict) else {}
        names = sorted(gold.keys() | given.keys())
        fields = {name: name in given and name in gold and same(given[name], gold[name]) for name in names}
    right = answered and same(answer, gold)
    return Scored(
        document_id=document_id,
        outcome=outcome,
        gold=gold,
        answer=answer if answered else None,
        right=right,
        fields=fields,
    )


def score_candidate(who: Candidate, gold: Mapping[str, Answer]) -> list[Scored]:
    """Score a model's labels on every gold document, in the order of ids. One without a label counts as failed."""
    scored = []
    for document_id, truth in sorted(gold.items()):
        label = who.labels.get(document_id)
        outcome = label.outcome if label else Outcome.failed
        scored.append(score(document_id, outcome, label.value if label else None, truth))
    return scored


def score_answers(answers: Mapping[str, Answer], gold: Mapping[str, Answer]) -> list[Scored]:
    """Score plain predictions (a baseline's) on every gold document, in the order of ids."""
    return [
        score(i, Outcome.answered if i in answers else Outcome.failed, answers.get(i), truth)
        for i, truth in sorted(gold.items())
    ]
