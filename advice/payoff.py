"""When the best student pays back, and how likely that is in time: what the decision needs of the economics.

The decision asks for this some hundred times, to find what would change its answer, so only break-even is reckoned
here, with the draws and the seed of the whole economics: both give the same months. A number that the search pushes
beyond what can be is cut at its bounds.

    payoff_of = payoffs(load(), Rates(), horizon_months=24);  advise(situation, payoff_of)
"""

from collections.abc import Callable
from typing import Literal

from advice import economics
from advice.assumptions import HOSTED, NUMBERS, OPTIONAL
from advice.decision import Payoff
from advice.figures import Payback
from advice.prices import Prices, Rates
from advice.situation import Quantity, Situation

Horizon = Literal[12, 24, 36, 60]


def payoffs(prices: Prices, rates: Rates | None = None, horizon_months: Horizon = 24) -> Callable[[Situation], Payoff]:
    """A function from a situation to its pay-off; the same for the same."""

    def payoff_of(situation: Situation) -> Payoff:
        back = economics.break_even(_bounded(situation), prices, rates or Rates())
        return payoff(back, situation.pilot_months, horizon_months)

    return payoff_of


def payoff(back: Payback, pilot_months: float | None = None, horizon_months: Horizon = 24) -> Payoff:
    """The pay-off: within the pilot where there is one that ends before the horizon."""
    horizon, chance = float(horizon_months), back.chances[horizon_months]
    if pilot_months is not None and back.pilot_chance is not None and 0 < pilot_months < horizon:
        horizon, chance = pilot_months, back.pilot_chance
    return Payoff(months=back.months, low=back.low, high=back.high, chance=chance, horizon_months=horizon)


def _bounded(situation: Situation) -> Situation:
    cut = {}
    for name, number in {**NUMBERS, OPTIONAL: HOSTED}.items():
        known: Quantity | None = getattr(situation, name)
        if known is not None and not number.least <= known.low <= known.high <= number.most:
            ends = {end: min(max(getattr(known, end), number.least), number.most) for end in ("value", "low", "high")}
            cut[name] = known.model_copy(update=ends)
    return situation.model_copy(update=cut) if cut else situation
