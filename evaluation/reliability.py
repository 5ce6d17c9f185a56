"""How far a model's confidence can be trusted, measured on people's answers: three figures and a threshold.

    reliability table            answers by confidence: how sure they were, how many were right (Wilson's interval)
    expected calibration error   the mean distance of the two, weighted by the answers (Guo et al. 2017), 10 bins
    coverage at a precision      "the surest 52 % are right 97 % of the time, between 95 and 98"

A threshold that is chosen and measured on the same documents looks better than it is. So the last figure's bounds are
simultaneous: exact binomial bounds (Clopper & Pearson 1934) at all of the up to 20 thresholds that are considered, with
the error shared among them (Bonferroni), hold together with the given confidence, whichever is then chosen. The
thresholds are the confidences at each twentieth of the answers: they do not look at which were right. This costs a
wider interval and no document, unlike keeping half of the gold apart. It cannot say whether later documents are alike.

A small test set makes even a perfect confidence look off by a few points: `by_chance` says how far.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from evaluation.interval import Estimate, wilson
from evaluation.score import Candidate, Scored
from records.types import Outcome, Record

BINS = 10
STEPS = 20
_DRAWS = 1_000
_ENOUGH = 10

Pairs = Sequence[tuple[float, bool]]
"""Confidence (0..1) of each answer, and whether it was right."""


class Bin(Record):
    """Answers with a confidence in `low` < c <= `high` (the first from 0 on)."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: Estimate


class Coverage(Record):
    """Trusting answers with a confidence of `threshold` or more: which share of all documents, and how many are right.

    `precision` carries the simultaneous bounds. `shown`: its lower bound is not below `wanted`.
    """

    wanted: float
    threshold: float
    share: float
    documents: int
    precision: Estimate
    shown: bool


class Reliability(Record):
    """One model's confidence on one test set. `answers`: those with a confidence, of `documents` in all.

    `error`: expected calibration error; `by_chance`: what 95 of 100 perfect confidences would stay within on so few
    answers. `coverage`: the most that can be trusted at the wanted precision, None where nothing reaches it.
    """

    documents: int
    answers: int
    bins: list[Bin]
    error: float
    by_chance: float
    coverage: Coverage | None = None


def reliability(pairs: Pairs, documents: int, wanted: float = 0.95, confidence: float = 0.95) -> Reliability | None:
    """All figures of a model; None where no answer has a confidence. `documents`: answered or not."""
    if not pairs:
        return None
    bins = table(pairs, confidence)
    return Reliability(
        documents=documents,
        answers=len(pairs),
        bins=bins,
        error=calibration_error(bins),
        by_chance=error_by_chance([c for c, _ in pairs]),
        coverage=coverage_at(pairs, wanted, documents, confidence),
    )


def sure_and_right(who: Candidate, scored: Sequence[Scored]) -> list[tuple[float, bool]]:
    """Confidence and rightness of a model's answers; those without a confidence are left out."""
    found = []
    for one in scored:
        label = who.labels.get(one.document_id)
        if label is not None and label.outcome is Outcome.answered and label.confidence is not None:
            found.append((min(1.0, max(0.0, label.confidence)), one.right))
    return found


def table(pairs: Pairs, confidence: float = 0.95) -> list[Bin]:
    """The reliability table: bins of equal width, those without an answer left out."""
    members: dict[int, list[tuple[float, bool]]] = {}
    for pair in pairs:
        members.setdefault(_bin(pair[0]), []).append(pair)
    return [
        Bin(
            low=n / BINS,
            high=(n + 1) / BINS,
            count=len(inside),
            confidence=sum(c for c, _ in inside) / len(inside),
            accuracy=wilson(sum(right for _, right in inside), len(inside), confidence),
        )
        for n, inside in sorted(members.items())
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error, 0..1: |accuracy - confidence| of the bins, weighted by their answers."""
    total = sum(b.count for b in bins)
    return sum(b.count * abs((b.accuracy.value or 0.0) - b.confidence) for b in bins) / total if total else 0.0


def error_by_chance(confidences: Sequence[float], share: float = 0.95) -> float:
    """The calibration error that a model whose confidence is right stays within in `share` of test sets this size.

    Drawn 1,000 times from a fixed seed (consistency resampling, Bröcker & Smith 2007, Weather and Forecasting 22:651).
    """
    import numpy as np

    sure = np.asarray(confidences, dtype=float)
    if not len(sure):
        return 0.0
    where = np.array([_bin(c) for c in confidences])
    inside = (where[:, None] == np.arange(BINS)[None, :]).astype(float)
    right = np.random.default_rng(2007).random((_DRAWS, len(sure))) < sure
    gaps = np.abs((right.astype(float) - sure) @ inside).sum(axis=1) / len(sure)
    return float(np.quantile(gaps, share))


def expected_accuracy(bins: Sequence[Bin], confidence: float) -> Estimate | None:
    """How often answers about this sure were right; None where fewer than ten were measured."""
    found = next((b for b in bins if _bin(b.high) == _bin(confidence)), None)
    return found.accuracy if found and found.count >= _ENOUGH else None


def coverages(pairs: Pairs, wanted: float, documents: int, confidence: float = 0.95) -> list[Coverage]:
    """What trusting the surest 5, 10, ... 100 % of the answers would give, the surest first; bounds hold for all."""
    ordered = sorted((c for c, _ in pairs), reverse=True)
    steps = [ordered[math.ceil(len(ordered) * n / STEPS) - 1] for n in range(1, STEPS + 1)] if ordered else []
    thresholds = [*(a for a, b in pairwise(steps) if a != b), *steps[-1:]]  # answers equally sure stay together
    each = 1 - (1 - confidence) / max(1, len(thresholds))
    found = []
    for threshold in thresholds:
        inside = [right for c, right in pairs if c >= threshold]
        precision = exact(sum(inside), len(inside), each).model_copy(update={"confidence": confidence})
        found.append(
            Coverage(
                wanted=wanted,
                threshold=threshold,
                share=len(inside) / documents,
                documents=len(inside),
                precision=precision,
                shown=(precision.low or 0.0) >= wanted,
            )
        )
    return found


def coverage_at(pairs: Pairs, wanted: float, documents: int, confidence: float = 0.95) -> Coverage | None:
    """The most that can be trusted at the wanted precision.

    First what is shown to reach it (the lower bound does); where these documents show it of nothing, what was seen to
    reach it (the figure does, its lower bound does not); None where nothing does.
    """
    found = coverages(pairs, wanted, documents, confidence)
    shown = [c for c in found if c.shown]
    seen = [c for c in found if (c.precision.value or 0.0) >= wanted]
    best = shown or seen
    return best[-1] if best else None


def exact(successes: int, n: int, confidence: float) -> Estimate:
    """A proportion with its exact interval (Clopper & Pearson 1934, Biometrika 26:404-413), wide enough for any n."""
    from scipy.stats import beta

    if n == 0:
        return Estimate(value=None, low=None, high=None, n=0, confidence=confidence)
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, successes, n - successes + 1)) if successes else 0.0
    high = float(beta.ppf(1 - tail, successes + 1, n - successes)) if successes < n else 1.0
    return Estimate(value=successes / n, low=low, high=high, n=n, confidence=confidence)


def _bin(confidence: float) -> int:
    """0.9 is in the bin 0.8 to 0.9: shares of samples lie on the edges, and belong with what is no surer."""
    return max(0, math.ceil(round(confidence * BINS, 9)) - 1)
