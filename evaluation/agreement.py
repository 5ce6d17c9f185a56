"""How far people agree with each other: Krippendorff's alpha, Cohen's kappa, plain agreement, each with its interval.

A *unit* is what several people (or one model several times) said of one document, as strings. Alpha (Krippendorff 2011,
"Computing Krippendorff's Alpha-Reliability", nominal data) takes any number of answers a unit; kappa (Cohen 1960,
Educational and Psychological Measurement 20:37-46) compares two people on the documents that both answered. 1 is
perfect agreement, 0 what chance would give.

Intervals: percentile bootstrap over documents (Zapf et al. 2016, BMC Medical Research Methodology 16:93, who find it
right for alpha where formulas fail). Where everybody always agreed a resample has nothing to vary; the lower bound is
then what it would be if the share that agrees were at the lower end of its own score interval (Wilson).

    agreement([["lease", "lease"], ["lease", "debt"], ["debt", "debt"]])
        -> Agreement(units=3, answers=6, agreed=2, pairwise=0.667 (0.208 to 0.939), alpha=0.444 (...))
"""

import json
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from evaluation.interval import Estimate, wilson
from evaluation.resample import RESAMPLES, estimate
from records.types import Answer, Record

_SEED = 2011


class Agreement(Record):
    """`units`: with two answers or more; `agreed`: all of them the same; `pairwise`: of any two answers to a unit."""

    units: int
    answers: int
    agreed: int
    pairwise: Estimate
    alpha: Estimate


def key(value: Answer | Any) -> str:
    """An answer, or a field of one, as a string that is the same where they are (1 and 1.0, whatever order of keys)."""
    return value if isinstance(value, str) else json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def alpha(units: Sequence[Sequence[str]]) -> float | None:
    """Krippendorff's nominal alpha; None where all values are the same. A unit of one value is left out."""
    totals: Counter[str] = Counter()
    observed = 0.0
    for values in units:
        if len(values) > 1:
            totals.update(values)
            observed += _disagreement(values)
    n = totals.total()
    expected = sum(count * (n - count) for count in totals.values()) / (n - 1) if n > 1 else 0.0
    return 1 - observed / expected if expected else None


def _disagreement(values: Sequence[str]) -> float:
    return sum(n * (len(values) - n) for n in Counter(values).values()) / (len(values) - 1)


def agreement(units: Sequence[Sequence[str]], confidence: float = 0.95) -> Agreement:
    """All figures of these units, with intervals."""
    several = [tuple(sorted(values)) for values in units if len(values) > 1]
    agreed = sum(len(set(values)) == 1 for values in several)
    nothing = Estimate(value=None, low=None, high=None, n=0, confidence=confidence)
    if not several:
        return Agreement(units=0, answers=0, agreed=0, pairwise=nothing, alpha=nothing)
    pairwise, spread = _resampled(Counter(several), confidence)
    if agreed == len(several) or all(len(values) == 2 for values in several):
        pairwise = wilson(agreed, len(several), confidence)
    if agreed == len(several) and spread.value is not None:
        spread = spread.model_copy(update={"low": _at_worst(pairwise.low, _chance(several))})
    return Agreement(units=len(several), answers=sum(map(len, several)), agreed=agreed, pairwise=pairwise, alpha=spread)


def _at_worst(agreeing: float | None, by_chance: float) -> float:
    return ((agreeing or 0.0) - by_chance) / (1 - by_chance)


def _chance(units: Sequence[Sequence[str]]) -> float:
    """How often two answers drawn from all of them are the same."""
    counts = Counter(value for values in units for value in values)
    n = counts.total()
    return sum(count * (count - 1) for count in counts.values()) / (n * (n - 1))


def _resampled(patterns: Counter[tuple[str, ...]], confidence: float) -> tuple[Estimate, Estimate]:
    """Pairwise agreement and alpha. Units that look alike are drawn together, so a thousand resamples are fast."""
    import numpy as np
    from scipy.sparse import csr_matrix

    cells = sorted(patterns)
    places = {value: n for n, value in enumerate(sorted({v for values in cells for v in values}))}
    rows = [row for row, values in enumerate(cells) for _ in values]
    columns = [places[v] for values in cells for v in values]
    said = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(cells), len(places)))
    samples = draws([patterns[values] for values in cells])
    totals = (said.T @ samples.T).T
    n = totals.sum(axis=1)
    expected = (n**2 - (totals**2).sum(axis=1)) / (n - 1)
    observed = samples @ np.array([_disagreement(values) for values in cells])
    found = np.divide(observed, expected, out=np.full_like(observed, np.nan), where=expected > 0)
    pairs = np.array([len(values) * (len(values) - 1) / 2 for values in cells])
    same = np.array([sum(a == b for a, b in combinations(values, 2)) for values in cells], dtype=float)
    units = sum(patterns.values())
    shares = (samples @ same) / (samples @ pairs)
    return estimate(shares, units, confidence), estimate(1 - found, units, confidence)


def draws(counts: Sequence[int]) -> Any:
    """What was counted, then a thousand resamples of it: an array with a row each."""
    import numpy as np

    observed = np.array(counts, dtype=float)
    n = int(observed.sum())
    return np.vstack([observed, np.random.default_rng(_SEED).multinomial(n, observed / n, size=RESAMPLES)])


def kappa(pairs: Sequence[tuple[str, str]], confidence: float = 0.95) -> Estimate:
    """Cohen's kappa of two people's answers to the same documents; None where both always said the same one thing."""
    import numpy as np

    if not pairs:
        return Estimate(value=None, low=None, high=None, n=0, confidence=confidence)
    cells = sorted(Counter(pairs).items())
    samples, n = draws([count for _, count in cells]), len(pairs)
    names = sorted({name for pair in pairs for name in pair})
    first, second = (np.array([[pair[i] == name for name in names] for pair, _ in cells], dtype=float) for i in (0, 1))
    observed = samples @ np.array([float(a == b) for (a, b), _ in cells]) / n
    chance = ((samples @ first) * (samples @ second)).sum(axis=1) / n**2
    found = np.divide(observed - chance, 1 - chance, out=np.full_like(chance, np.nan), where=chance < 1 - 1e-12)
    spread = estimate(found, n, confidence)
    if spread.value is not None and all(a == b for a, b in pairs):
        return spread.model_copy(update={"low": _at_worst(wilson(n, n, confidence).low, float(chance[0]))})
    return spread
