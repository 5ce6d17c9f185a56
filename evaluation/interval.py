"""How sure is a figure: intervals for proportions, paired differences, quantiles and means.

Score intervals rather than the textbook mean +- 1.96 standard errors, because test sets are small and accuracies are
near 1, where the textbook interval is far too short. Everything but the binomial quantile is plain arithmetic.

    wilson(140, 150)             -> Estimate(value=0.933, low=0.882, high=0.963, n=150, confidence=0.95)
    paired_difference(40, 3, 150)-> Estimate(value=0.247, low=0.172, high=0.323, ...)   student minus teacher
"""

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist, fmean, stdev

from records.types import Record


class Estimate(Record):
    """A figure with its interval. `None` where the data say nothing (no documents, or too few for a bound)."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    confidence: float


def normal_quantile(confidence: float) -> float:
    """z of a two-sided interval: 1.96 at 0.95."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(successes: int, n: int, confidence: float = 0.95) -> Estimate:
    """A proportion with its score interval (Wilson 1927, JASA 22:209-212; Newcombe 1998, Stat Med 17:857-872)."""
    if n == 0:
        return Estimate(value=None, low=None, high=None, n=0, confidence=confidence)
    z, p = normal_quantile(confidence), successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Estimate(value=p, low=low, high=high, n=n, confidence=confidence)


def _score(delta: float, first_only: int, second_only: int, n: int) -> float:
    """Tango's statistic: the standardised distance of the observed difference from `delta`. Falls with `delta`."""
    a, c = 2 * n, -second_only * delta * (1 - delta)
    b = -first_only - second_only + (2 * n - first_only + second_only) * delta
    second_share = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = n * (2 * second_share + delta * (1 - delta))
    distance = first_only - second_only - n * delta
    if variance <= 0:
        return math.copysign(math.inf, distance) if abs(distance) > 1e-12 else 0.0
    return distance / math.sqrt(variance)


def _crossing(statistic: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Where a falling function passes `target`, by bisection to 1e-12."""
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if statistic(middle) > target else (low, middle)
    return (low + high) / 2


def paired_difference(first_only: int, second_only: int, n: int, confidence: float = 0.95) -> Estimate:
    """Difference of two paired proportions, first minus second, with its score interval.

    Tango 1998, Statistics in Medicine 17:891-908: every difference that the score test does not reject. Preferred to
    Newcombe's method 10 (1998, Stat Med 17:2635-2650) because it is the very test that a non-inferiority rule inverts.
    `first_only`: pairs in which only the first was right; `second_only`: the reverse; `n`: all pairs.
    """
    if n == 0:
        return Estimate(value=None, low=None, high=None, n=0, confidence=confidence)
    z, value = normal_quantile(confidence), (first_only - second_only) / n

    def statistic(delta: float) -> float:
        return _score(delta, first_only, second_only, n)

    low = -1.0 if value == -1 else _crossing(statistic, z, -1.0, value)
    high = 1.0 if value == 1 else _crossing(statistic, -z, value, 1.0)
    return Estimate(value=value, low=low, high=high, n=n, confidence=confidence)


def probability_of_no_worse(first_only: int, second_only: int, n: int, delta: float) -> float:
    """One-sided p of "the first minus the second is `delta` or more" by Tango's score test: small where it is worse."""
    return NormalDist().cdf(_score(delta, first_only, second_only, n)) if n else 1.0


def mcnemar_exact(first_only: int, second_only: int) -> float:
    """Two-sided exact p of "both are right equally often" (McNemar 1947, Psychometrika 12:153-157, by the binomial)."""
    discordant, tail, ways = first_only + second_only, 0, 1
    for k in range(min(first_only, second_only) + 1):
        tail, ways = tail + ways, ways * (discordant - k) // (k + 1)
    return float(min(1.0, 2 * tail / 2**discordant))


def quantile(values: Sequence[float], q: float, confidence: float = 0.95) -> Estimate:
    """The q-quantile (nearest rank) with its distribution-free interval by order statistics.

    Hahn & Meeker 1991, Statistical Intervals, chapter 5. A bound is `None` where `n` is too small for one: the
    upper one of a p95 needs 72 values at confidence 0.95.
    """
    from scipy.stats import binom

    n, ordered = len(values), sorted(values)
    if n == 0:
        return Estimate(value=None, low=None, high=None, n=0, confidence=confidence)
    lower = int(binom.ppf((1 - confidence) / 2, n, q))
    upper = int(binom.ppf((1 + confidence) / 2, n, q)) + 1
    low = ordered[lower - 1] if lower >= 1 else None
    high = ordered[upper - 1] if upper <= n else None
    value = ordered[max(1, math.ceil(q * n)) - 1]
    return Estimate(value=value, low=low, high=high, n=n, confidence=confidence)


def mean(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """A mean of amounts (seconds, dollars; not negative) with its normal interval; no bounds for fewer than two."""
    n = len(values)
    value = fmean(values) if n else None
    if value is None or n < 2:
        return Estimate(value=value, low=None, high=None, n=n, confidence=confidence)
    half = normal_quantile(confidence) * stdev(values) / math.sqrt(n)
    return Estimate(value=value, low=max(0.0, value - half), high=value + half, n=n, confidence=confidence)
