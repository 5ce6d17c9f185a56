"""How many more human-checked test documents would decide it: a plan from what was seen, not a promise."""

import math

from evaluation.compare import Paired
from evaluation.interval import normal_quantile
from evaluation.rule import Rule

POWER_Z = 0.8416
"""Normal quantile of 0.80, the usual power to plan for."""
TOO_MANY = 100_000


def further_documents(rule: Rule, pair: Paired) -> int | None:
    """How many more human-checked test documents would decide on accuracy with 80 % power, if all goes on as observed.

    The usual size of a paired non-inferiority trial, (z_confidence + z_power)^2 * variance / (difference + margin)^2,
    with the discordant counts each raised by 0.5 (Agresti & Min 2005, Stat Med 24:729-740), so that none seen is not
    taken for none there. `None`: the difference sits so close to the margin that no bearable number would.
    """
    n = pair.documents + 2
    first, second = (pair.first_only + 0.5) / n, (pair.second_only + 0.5) / n
    variance, distance = first + second - (first - second) ** 2, abs(first - second + rule.margin)
    if distance == 0:
        return None
    needed = ((normal_quantile(rule.confidence) + POWER_Z) / distance) ** 2 * variance
    more = max(needed, rule.min_test_documents) - pair.documents
    return _two_digits(max(more, 1)) if more <= TOO_MANY else None


def _two_digits(number: float) -> int:
    """Rounded up to two significant digits."""
    step = int(10 ** max(0, math.floor(math.log10(number)) - 1))
    return math.ceil(number / step) * step
