"""How many of so many labels are wrong, when some were drawn at random, one after another, and looked at.

Exact, for a finite number of labels drawn without putting back, and true *at every look*: whoever looks each week and
stops when the figure pleases is wrong no more often than promised. A fixed-size interval (Clopper & Pearson) does not
survive that.

    bounds([Cohort(total=4210, drawn=140, wrong=1)])      -> Bounds(low=2, likely=30, high=161)     labels, not shares

For each possible number of wrong labels K the probability of what was seen is hypergeometric. The mixture of a fixed
prior over the error rate, divided by that probability, is a martingale under the true K, which by Ville's inequality
never reaches 1/0.05 with a probability of 95 %; the K for which it has not are a confidence sequence (Waudby-Smith &
Ramdas 2020, "Confidence sequences for sampling without replacement", NeurIPS, theorem 3.1: the prior-posterior ratio;
Robbins 1970, Ann. Math. Stat. 41:1397). The prior cannot make it untrue, only wider where errors are many.

Cohorts: labels that came at different times and of which different shares were drawn. Their probabilities multiply, so
nothing is weighted and nothing is approximated; the estimate is the stratified one, which is that of Horvitz &
Thompson (1952, JASA 47:663) with each cohort's share drawn as the probability of inclusion.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from evaluation.interval import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

_WRONG, _RIGHT = 0.5, 20.0
"""The prior over the error rate, a beta distribution: 2.4 % on the mean. Fixed before anything is seen."""
_IMAGINED = 20
"""Draws that a forecast adds to those seen, wrong a third as often as is allowed."""


class Cohort(NamedTuple):
    """Labels, how many of them were drawn (a random order's first), and how many of those drawn were wrong."""

    total: int
    drawn: int
    wrong: int


class Bounds(NamedTuple):
    """Wrong labels among all: at least, most likely, at most."""

    low: int
    likely: int
    high: int


def bounds(cohorts: Sequence[Cohort], confidence: float = 0.95) -> Bounds:
    """How many labels of all cohorts together are wrong. Two-sided, at every look; `likely` is the likeliest number."""
    import numpy as np

    costs = [_surprise(one) for one in cohorts if one.total]
    if not costs:
        return Bounds(0, 0, 0)
    tops = [int(np.argmin(cost)) for cost in costs]
    seen = sum(one.wrong for one in cohorts)
    likely = sum(tops) + seen
    room = -math.log1p(-confidence) - _log_mixture(seen, sum(one.drawn for one in cohorts))
    room -= sum(float(cost[top]) for cost, top in zip(costs, tops, strict=True))
    # each cost is convex, so the cheapest way to one more wrong label is the cheapest step of any cohort
    up = np.sort(np.concatenate([np.diff(cost[top:]) for cost, top in zip(costs, tops, strict=True)]))
    down = np.sort(np.concatenate([-np.diff(cost[: top + 1]) for cost, top in zip(costs, tops, strict=True)]))
    return Bounds(likely - _steps(down, room), likely, likely + _steps(up, room))


def rate(cohorts: Sequence[Cohort]) -> float | None:
    """The estimated share of wrong labels in the cohorts of which any was drawn: unbiased. None without draws."""
    looked_at = [one for one in cohorts if one.drawn]
    total = sum(one.total for one in looked_at)
    return sum(one.total * one.wrong / one.drawn for one in looked_at) / total if total else None


def exact_share(total: int, drawn: int, wrong: int, confidence: float = 0.95) -> Estimate:
    """The share wrong of `total` labels with its exact interval, for one look at a sample of a size fixed before.

    Clopper & Pearson's two tails, of the hypergeometric distribution (Konijn 1973, "Statistical Theory of Sample Survey
    Design and Analysis", p. 79): where all are drawn, nothing is unsure. `low` and `high` None without draws.
    """
    if not drawn:
        return Estimate(value=None, low=None, high=None, n=0, confidence=confidence)
    from scipy.stats import hypergeom

    tail = (1 - confidence) / 2
    low, high = wrong, total - (drawn - wrong)
    while low < high:  # the greatest number under which so few wrong ones are no rarer than the tail
        middle = (low + high + 1) // 2
        low, high = (middle, high) if hypergeom.cdf(wrong, total, middle, drawn) > tail else (low, middle - 1)
    most = low
    low, high = wrong, total - (drawn - wrong)
    while low < high:  # the least number under which so many are no rarer
        middle = (low + high) // 2
        low, high = (low, middle) if hypergeom.sf(wrong - 1, total, middle, drawn) > tail else (middle + 1, high)
    return Estimate(value=wrong / drawn, low=low / total, high=most / total, n=drawn, confidence=confidence)


def more_needed(total: int, drawn: int, wrong: int, wanted: float, confidence: float = 0.95) -> int | None:
    """About how many more must be drawn until at most `wanted` of all can still be wrong; 0: enough were.

    What is drawn and wrong is corrected, and so wrong no more. A forecast: if the rest is wrong as often as what was
    drawn. None where it would take looking at most of them.
    """
    share = (wrong + wanted / 3 * _IMAGINED) / (drawn + _IMAGINED)

    def enough(more: int) -> bool:
        found = min(total - (drawn - wrong), wrong + math.floor(share * more + 0.5))
        if drawn + more >= total:
            return True
        return bounds([Cohort(total, drawn + more, found)], confidence).high - found <= wanted * total

    if enough(0):
        return 0
    few, many = 0, 1
    while not enough(many):
        few, many = many, 2 * many
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if enough(middle) else (middle, many)
    return many if many <= (total - drawn) / 2 else None


def _surprise(cohort: Cohort) -> "Numbers":
    """-log of the probability of this very row of right and wrong, by the wrong labels there are beside those seen."""
    import numpy as np
    from scipy.special import gammaln

    total, drawn, wrong = cohort
    right, unseen = drawn - wrong, total - drawn
    more = np.arange(unseen + 1, dtype=float)
    log = gammaln(wrong + more + 1) - gammaln(more + 1)
    log += gammaln(right + unseen - more + 1) - gammaln(unseen - more + 1)
    found: Numbers = gammaln(total + 1) - gammaln(unseen + 1) - log
    return found


def _log_mixture(wrong: int, drawn: int) -> float:
    """The log-probability of the row under the prior: that of Polya's urn."""
    from scipy.special import betaln

    return float(betaln(_WRONG + wrong, _RIGHT + drawn - wrong) - betaln(_WRONG, _RIGHT))


def _steps(costs: "Numbers", room: float) -> int:
    """How many steps, the cheapest first, cost less than `room` together."""
    import numpy as np

    return int(np.searchsorted(np.cumsum(costs), max(0.0, room)))
