"""Many scored answers become figures, each with its interval. Grain of `Measured`: one per model and test set.

Accuracy and rates by Wilson, F1 by the bootstrap, latency quantiles by order statistics, cost by its mean. What the
test set cannot say (latency of predictions that were not timed, cost without a price) is `None`, never 0.
"""

from collections import Counter
from collections.abc import Sequence

from pydantic import Field

from evaluation.interval import Estimate, mean, quantile, wilson
from evaluation.resample import f1_scores
from evaluation.score import Candidate, Scored
from records.types import Label, Outcome, Record

NO_ANSWER = "(no answer)"


class LabelFigures(Record):
    """One label: how often people said it (`gold`), the model did (`answered`), both did (`right`)."""

    label: str
    gold: int
    answered: int
    right: int
    precision: Estimate
    recall: Estimate
    f1: Estimate


class Measured(Record):
    """How good a model is on the test set. Latency in seconds, cost in US dollars per 1,000 documents."""

    name: str
    role: str
    documents: int
    accuracy: Estimate
    macro_f1: Estimate | None = None
    labels: list[LabelFigures] = Field(default_factory=list)
    fields: dict[str, Estimate] = Field(default_factory=dict)
    set_f1: dict[str, Estimate] = Field(default_factory=dict)
    confusion: dict[str, dict[str, int]] = Field(default_factory=dict)
    no_answer: Estimate
    unreadable: Estimate
    refused: Estimate
    failed: Estimate
    latency_p50_s: Estimate | None = None
    latency_p95_s: Estimate | None = None
    cost_per_1000_usd: Estimate | None = None


def measure(name: str, role: str, scored: Sequence[Scored], confidence: float = 0.95) -> Measured:
    """The figures that follow from right and wrong alone."""
    n = len(scored)
    outcomes = Counter(s.outcome for s in scored)
    choices = [(s.gold, s.answer if isinstance(s.answer, str) else None) for s in scored if isinstance(s.gold, str)]
    macro, labels = label_figures(choices, confidence) if choices else (None, [])
    return Measured(
        name=name,
        role=role,
        documents=n,
        accuracy=wilson(sum(s.right for s in scored), n, confidence),
        macro_f1=macro,
        labels=labels,
        fields=_fields(scored, confidence),
        set_f1=_set_f1(scored, confidence),
        confusion=_confusion(choices),
        no_answer=wilson(n - outcomes[Outcome.answered], n, confidence),
        unreadable=wilson(outcomes[Outcome.unreadable], n, confidence),
        refused=wilson(outcomes[Outcome.refused], n, confidence),
        failed=wilson(outcomes[Outcome.failed], n, confidence),
    )


def measure_candidate(who: Candidate, scored: Sequence[Scored], confidence: float = 0.95) -> Measured:
    """The figures of a model that was asked: also its latency and its cost, on the documents that it was scored on.

    A failed call (service down, time-out) says nothing of the model's speed or price and is left out of these two.
    """
    asked = [label for s in scored if (label := who.labels.get(s.document_id)) and label.outcome is not Outcome.failed]
    seconds = [label.latency_s for label in asked if label.latency_s > 0]
    timed = bool(seconds)
    return measure(who.name, who.role, scored, confidence).model_copy(
        update={
            "latency_p50_s": quantile(seconds, 0.50, confidence) if timed else None,
            "latency_p95_s": quantile(seconds, 0.95, confidence) if timed else None,
            "cost_per_1000_usd": _cost(who, asked, seconds, confidence),
        }
    )


def label_figures(choices: Sequence[tuple[str, str | None]], confidence: float) -> tuple[Estimate, list[LabelFigures]]:
    """Macro-F1, and precision, recall and F1 by label, of (gold, answer) pairs; the commonest label first."""
    gold, answered = Counter(g for g, _ in choices), Counter(a for _, a in choices if a is not None)
    right = Counter(g for g, a in choices if g == a)
    names = sorted(gold.keys() | answered.keys(), key=lambda k: (-gold[k], k))
    macro, f1 = f1_scores(choices, names, confidence)
    return macro, [
        LabelFigures(
            label=name,
            gold=gold[name],
            answered=answered[name],
            right=right[name],
            precision=wilson(right[name], answered[name], confidence),
            recall=wilson(right[name], gold[name], confidence),
            f1=f1[name],
        )
        for name in names
    ]


def _confusion(choices: Sequence[tuple[str, str | None]]) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for gold, answer in sorted(choices, key=str):
        row = table.setdefault(gold, {})
        row[answer or NO_ANSWER] = row.get(answer or NO_ANSWER, 0) + 1
    return table


def _fields(scored: Sequence[Scored], confidence: float) -> dict[str, Estimate]:
    """Accuracy by field, over the documents in which gold or the answer has that field."""
    seen, right = Counter[str](), Counter[str]()
    for s in scored:
        seen.update(s.fields.keys())
        right.update(name for name, ok in s.fields.items() if ok)
    return {name: wilson(right[name], seen[name], confidence) for name in sorted(seen)}


def _set_f1(scored: Sequence[Scored], confidence: float) -> dict[str, Estimate]:
    """Mean F1 of the fields that are sets, over the documents in which gold or the answer has that field."""
    found: dict[str, list[float]] = {}
    for s in scored:
        for name, value in s.shares.items():
            found.setdefault(name, []).append(value)
    bounded = {name: mean(values, confidence) for name, values in sorted(found.items())}
    return {k: e.model_copy(update={"high": min(1.0, e.high)}) if e.high else e for k, e in bounded.items()}


def _cost(who: Candidate, asked: Sequence[Label], seconds: Sequence[float], confidence: float) -> Estimate | None:
    """Dollars per 1,000 documents: the machine's hours for a self-hosted model, else what the calls cost.

    Calls that all cost 0 have no price, rather than a price of 0.
    """
    if who.price_per_hour is None:
        calls = [label.cost_usd for label in asked]
        return _times(mean(calls, confidence), 1000) if any(calls) else None
    if who.documents_per_second is not None:
        hours = 1 / who.documents_per_second / 3600
        return Estimate(
            value=who.price_per_hour * hours * 1000, low=None, high=None, n=len(asked), confidence=confidence
        )
    return _times(mean(seconds, confidence), who.price_per_hour / 3600 * 1000) if seconds else None


def _times(estimate: Estimate, factor: float) -> Estimate:
    scaled = {k: v * factor for k in ("value", "low", "high") if (v := getattr(estimate, k)) is not None}
    return estimate.model_copy(update=scaled)
