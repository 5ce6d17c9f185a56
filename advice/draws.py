"""From a value with its 90 % range to random draws: what the Monte Carlo of the economics samples.

A person, a log or an assumption says three numbers: the value, and the 5 % and 95 % quantiles around it. The draw keeps
exactly these three as its median and its quantiles (Keelin and Powley, Quantile-parameterized distributions, Decision
Analysis 8(3):206, 2011), by two halves of a normal distribution that are joined at the median, one to each side, so
that a lopsided range stays lopsided (the split normal of Fechner; Wallis, Statistical Science 29(1):106, 2014).

Amounts are drawn on the scale of their logarithm, because what is not known of a price or a volume is a factor ("half
to double"), and so that no draw is below zero. Shares, growth, and amounts whose range begins at zero are drawn as they
are, and cut at the bounds of what they can be. A range of one point is that point.

Each number has its own stream of random numbers, by its name: the same seed gives the same draws, and two situations
that differ in one number are compared under the same luck in all others.
"""

import zlib
from collections.abc import Mapping
from statistics import NormalDist
from typing import TYPE_CHECKING

from advice.assumptions import HOSTED, NUMBERS, Assumption
from advice.situation import Quantity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Z95 = NormalDist().inv_cdf(0.95)
_ADDED = {"growth", "repeated_share", "batchable_share", "batch_discount", "utilisation"}
"""Numbers whose error is a difference, not a factor."""


def draw(assumptions: Mapping[str, Assumption], count: int, seed: int) -> "dict[str, Array]":
    """`count` draws of each number, by name: arrays of shape (count,). Numbers are independent of each other."""
    import numpy as np

    found = {}
    for name, assumption in assumptions.items():
        luck = np.random.default_rng([seed, zlib.crc32(name.encode())]).standard_normal(count)
        found[name] = spread(name, assumption.quantity, luck)
    return found


def spread(name: str, quantity: Quantity, luck: "Array") -> "Array":
    """The draws of one number for standard normal `luck` of any shape: 0 gives the value, ±1.645 the ends."""
    import numpy as np

    number = NUMBERS.get(name, HOSTED)
    value, low, high = quantity.value, quantity.low, quantity.high
    steps = luck / Z95
    if low > 0 and name not in _ADDED:
        log = np.log([low, value, high])
        factor = np.where(steps > 0, log[2] - log[1], log[1] - log[0])
        drawn = value * np.exp(np.clip(steps * factor, -700, 700))
    else:
        drawn = value + steps * np.where(steps > 0, high - value, value - low)
    bounded: Array = np.clip(drawn, number.least, number.most)
    return bounded


def point(assumptions: Mapping[str, Assumption]) -> "dict[str, Array]":
    """Each number at its value, as one draw."""
    import numpy as np

    return {name: np.array([one.quantity.value]) for name, one in assumptions.items()}
