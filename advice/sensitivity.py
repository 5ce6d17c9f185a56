"""Which assumption matters most: the net value after two years, with one number at each end and the others as they are.

One number at a time shows what to measure next; what several do together is in the draws of the economics.
"""

from collections.abc import Mapping

from advice import costs
from advice.assumptions import Assumption
from advice.figures import Swing, Way
from advice.reckoning import reckon
from advice.situation import Origin


def swings(assumptions: Mapping[str, Assumption], best: Way, overflow: bool, months: int) -> list[Swing]:
    """One a number that is not sure and moves the result, the widest first; all are reckoned in one go."""
    import numpy as np

    names = [name for name, one in assumptions.items() if one.quantity.low < one.quantity.high]
    rows = 2 * len(names) + 1
    ends: costs.Draws = {name: np.full(rows, one.quantity.value, dtype=float) for name, one in assumptions.items()}
    for row, name in enumerate(names):
        quantity = assumptions[name].quantity
        ends[name][2 * row : 2 * row + 2] = quantity.low, quantity.high
    net = reckon(ends, overflow, (Way.prompting, best)).net(best)[:, months - 1]
    found = [
        Swing(
            name=name,
            title=assumptions[name].title,
            assumed=assumptions[name].quantity.origin is Origin.assumed,
            at_low=float(net[2 * row]),
            at_high=float(net[2 * row + 1]),
            at_value=float(net[-1]),
        )
        for row, name in enumerate(names)
    ]
    return sorted((one for one in found if one.width > 0), key=lambda one: -one.width)
