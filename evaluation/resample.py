"""F1 scores with intervals, by the bootstrap: a ratio of sums over dependent counts has no simple formula.

A resample of the documents only matters through how often each (gold, answer) pair occurs, so pairs are drawn from a
multinomial instead of documents one by one: a thousand resamples take milliseconds. Percentile intervals (Efron &
Tibshirani 1993, An Introduction to the Bootstrap, chapter 13), from a fixed seed: the same answers, the same figures.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from evaluation.interval import Estimate

RESAMPLES = 1000


def f1_scores(
    pairs: Sequence[tuple[str, str | None]], labels: Sequence[str], confidence: float = 0.95
) -> tuple[Estimate, dict[str, Estimate]]:
    """Macro-F1 and each label's F1 of (gold, answer) pairs; `None` as answer: there was none.

    Macro-F1 is the mean over the labels that occur in gold or among the answers (0 for one that was never right).
    """
    import numpy as np

    cells = sorted(Counter(pairs).items(), key=str)
    counts = np.array([count for _, count in cells], dtype=float)
    n = int(counts.sum())
    if n == 0:
        nothing = Estimate(value=None, low=None, high=None, n=0, confidence=confidence)
        return nothing, {label: nothing for label in labels}
    draws = np.random.default_rng(1998).multinomial(n, counts / n, size=RESAMPLES)
    samples = np.vstack([counts, draws])
    f1 = _f1(samples, [pair for pair, _ in cells], labels)
    return estimate(_macro(f1), n, confidence), {k: estimate(f1[:, i], n, confidence) for i, k in enumerate(labels)}


def macro_f1_difference(triples: Sequence[tuple[str, str | None, str | None]], confidence: float = 0.95) -> Estimate:
    """Macro-F1 of the first minus that of the second, from (gold, first's answer, second's answer), by the paired
    bootstrap: each resample draws documents with both answers, so what makes a document hard counts for both.
    """
    import numpy as np

    cells = sorted(Counter(triples).items(), key=str)
    counts = np.array([count for _, count in cells], dtype=float)
    n = int(counts.sum())
    if n == 0:
        return Estimate(value=None, low=None, high=None, n=0, confidence=confidence)
    draws = np.random.default_rng(1998).multinomial(n, counts / n, size=RESAMPLES)
    samples = np.vstack([counts, draws])
    macro = []
    for which in (1, 2):
        pairs = [(cell[0], cell[which]) for cell, _ in cells]
        labels = sorted({x for pair in pairs for x in pair if x is not None})
        macro.append(_macro(_f1(samples, pairs, labels)))
    return estimate(macro[0] - macro[1], n, confidence)


def _macro(f1: Any) -> Any:
    """The mean over the labels that occur in a resample."""
    import numpy as np

    occurs = ~np.isnan(f1)
    return np.where(occurs, f1, 0.0).sum(axis=1) / np.maximum(occurs.sum(axis=1), 1)


def _f1(samples: Any, cells: Sequence[tuple[str, str | None]], labels: Sequence[str]) -> Any:
    """F1 by resample (rows) and label (columns); not a number where a label occurs on neither side."""
    import numpy as np

    gold = np.array([[g == label for label in labels] for g, _ in cells], dtype=float)
    answered = np.array([[a == label for label in labels] for _, a in cells], dtype=float)
    hits, total = samples @ (gold * answered), samples @ (gold + answered)
    return np.divide(2 * hits, total, out=np.full_like(hits, np.nan), where=total > 0)


def estimate(values: Any, n: int, confidence: float) -> Estimate:
    """The first value is the observed one, the others are resamples."""
    import numpy as np

    drawn = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or not len(drawn):
        return Estimate(value=None, low=None, high=None, n=n, confidence=confidence)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value=float(values[0]), low=float(low), high=float(high), n=n, confidence=confidence)
