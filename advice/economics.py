"""Does a student pay, when, and which assumption decides it? Costs as distributions over what is not known.

    found = assess(situation, load(), Rates(teacher=..., tuned=...))
    found.student.payback      # Payback(months=13.4, low=11.2, high=16.9, ...)

Every figure is reckoned twice: at the stated values, which is exact where they are, and for some thousand draws of all
assumptions at once, whose 5 % and 95 % quantiles are the interval. The interval is widened to hold the exact figure,
which can lie outside where most ranges reach to one side only. Break-even is looked for within five years. Retraining
is spread over the months between, so that a curve has no steps of our making.
"""

from collections.abc import Callable

from advice import draws
from advice.assumptions import gather
from advice.figures import Curve, Economics, Payback, Route, Spread, Way
from advice.prices import Prices, Rates
from advice.reckoning import HORIZON, Reckoning, barred, best_student, reckon
from advice.sensitivity import swings
from advice.situation import Situation

DRAWS, SEED = 4000, 20261125
SHOWN = 36
AFTER = (12, 24, 36)
"""Months after which the net value is told; at the second the students are compared."""
TITLES = {
    Way.prompting: "Prompting the teacher",
    Way.self_hosted: "Student on own machines",
    Way.endpoint: "Student on a hosted endpoint",
    Way.tokens: "Hosted fine-tuned model, by token",
}
Figure = Callable[[Reckoning], "draws.Array"]
"""From a reckoning to one figure a draw."""


def assess(
    situation: Situation,
    prices: Prices,
    rates: Rates | None = None,
    count: int = DRAWS,
    seed: int = SEED,
) -> Economics:
    """The economics of a situation. Raises InputError for a number that cannot be."""
    assumptions = gather(situation, prices, rates or Rates())
    out = barred(situation)
    exact = reckon(draws.point(assumptions), overflow=not out)
    many = reckon(draws.draw(assumptions, count, seed), overflow=not out)
    best = best_student(exact, out, AFTER[1])
    return Economics(
        task=situation.task,
        routes=[_route(way, exact, many, situation.pilot_months, out.get(way, "")) for way in exact.ways],
        best=best,
        assumptions=list(assumptions.values()),
        swings=swings(assumptions, best, not out, AFTER[1]),
        listed=[
            one for one in (*prices.machines, *prices.endpoints) if one.fits == (situation.student_size or "small")
        ],
        pilot_months=situation.pilot_months,
        draws=count,
        seed=seed,
    )


def break_even(situation: Situation, prices: Prices, rates: Rates, count: int = DRAWS, seed: int = SEED) -> Payback:
    """When the best student of a situation pays back, as `assess` says it, in a fraction of the time."""
    assumptions = gather(situation, prices, rates)
    out = barred(situation)
    exact = reckon(draws.point(assumptions), overflow=not out)
    best = best_student(exact, out, AFTER[1])
    many = reckon(draws.draw(assumptions, count, seed), not out, (Way.prompting, best))
    return _payback(exact.pays_back(best), many.pays_back(best), situation.pilot_months)


def _route(way: Way, exact: Reckoning, many: Reckoning, pilot_months: float | None, out: str) -> Route:
    """One way's figures. Each is a function of a reckoning, taken at the values and over the draws."""

    def both(figure: Figure) -> Spread:
        return _spread(float(figure(exact)[0]), figure(many))

    found = Route(
        way=way,
        title=TITLES[way],
        barred=out,
        monthly=both(lambda r: r.ways[way].total[:, 0]),
        running=both(lambda r: r.ways[way].running[:, 0]),
        machines=None if exact.ways[way].machines is None else both(lambda r: _machines(r, way)),
        curve=_curve(exact.ways[way].total, many.ways[way].total),
        cumulative=_curve(exact.spent(way), many.spent(way)),
    )
    if way is Way.prompting:
        return found
    net = exact.net(way), many.net(way)
    student = {
        "once": both(lambda r: r.once()),
        "payback": _payback(exact.pays_back(way), many.pays_back(way), pilot_months),
        "net": {n: _spread(float(net[0][0, n - 1]), net[1][:, n - 1]) for n in AFTER},
        "times_cheaper": both(lambda r: r.times_cheaper(way)),
    }
    return found.model_copy(update=student)


def _machines(reckoning: Reckoning, way: Way) -> "draws.Array":
    machines = reckoning.ways[way].machines
    assert machines is not None, f"{way} has no machines"
    return machines[:, 0]


def _payback(exact: "draws.Array", drawn: "draws.Array", pilot_months: float | None) -> Payback:
    """Break-even of the draws; their quantiles are draws, for between a number and never there is nothing."""
    import numpy as np

    at_value = float(exact[0])
    low, high = np.quantile(drawn, [0.05, 0.95], method="inverted_cdf")
    ends = at_value, min(float(low), at_value), max(float(high), at_value)
    months = [None if np.isinf(end) else end for end in ends]
    chances = {after: float(np.mean(drawn <= after)) for after in (*AFTER, HORIZON)}
    pilot = None if pilot_months is None else float(np.mean(drawn <= pilot_months))
    return Payback(months=months[0], low=months[1], high=months[2], chances=chances, pilot_chance=pilot)


def _spread(value: float, drawn: "draws.Array") -> Spread:
    import numpy as np

    low, high = np.quantile(drawn, [0.05, 0.95])
    return Spread(value=value, low=min(float(low), value), high=max(float(high), value))


def _curve(exact: "draws.Array", drawn: "draws.Array") -> Curve:
    import numpy as np

    value = exact[0, :SHOWN]
    low, high = np.quantile(drawn[:, :SHOWN], [0.05, 0.95], axis=0)
    return Curve(value=value.tolist(), low=np.minimum(low, value).tolist(), high=np.maximum(high, value).tolist())
