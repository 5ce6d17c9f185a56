"""Does a student pay, when, and which assumption decides it? Costs as distributions over what is not known.

    found = assess(situation, load(), Rates(teacher=..., tuned=...))
    found.sentence     # "A self-hosted student pays back after 13.4 months (11 to 17, 90 %); ..."

Every figure is reckoned twice: at the stated values, which is exact where they are, and for some thousand draws of all
assumptions at once, whose 5 % and 95 % quantiles are the interval. The interval is widened to hold the exact figure,
which can lie outside where most ranges reach to one side only. Break-even is looked for within five years: no model
lives longer. Retraining is spread over the months between, so that a curve has no steps of our making.
"""

from collections.abc import Callable, Iterable

from advice import costs, draws
from advice.assumptions import OPTIONAL, Assumption, gather
from advice.figures import Curve, Economics, Payback, Route, Spread, Swing, Way
from advice.prices import Prices, Rates, Size
from advice.situation import Origin, Situation

DRAWS, SEED = 4000, 20261125
SHOWN, HORIZON = 36, 60
AFTER = (12, 24, 36)
"""Months after which the net value is told; the second is what the sensitivity chart is of."""

TITLES = {
    Way.prompting: "Prompting the teacher",
    Way.self_hosted: "Student on own machines",
    Way.endpoint: "Student on a hosted endpoint",
    Way.tokens: "Hosted fine-tuned model, by token",
}
Reckoned = dict[Way, costs.Monthly]
Figure = Callable[[Reckoned, costs.Draws], "draws.Array"]
"""From the months' costs and the draws to one figure a draw."""


def assess(
    situation: Situation,
    prices: Prices,
    rates: Rates | None = None,
    fits: Size = "small",
    count: int = DRAWS,
    seed: int = SEED,
) -> Economics:
    """The economics of a situation. Raises InputError for a number that cannot be."""
    assumptions = gather(situation, prices, rates or Rates(), fits)
    barred = _barred(situation)
    overflow = Way.prompting not in barred
    exact, many = draws.point(assumptions), draws.draw(assumptions, count, seed)
    at_value, drawn = (_reckon(one, overflow, _ways(one)) for one in (exact, many))
    routes = [
        _route(way, (at_value, exact), (drawn, many), situation.pilot_months, barred.get(way, "")) for way in at_value
    ]
    students = [route for route in routes if route.way in _students(at_value, exact, barred)]
    best = max(students, key=lambda route: route.net[AFTER[1]].value).way
    return Economics(
        task=situation.task,
        routes=routes,
        best=best,
        assumptions=list(assumptions.values()),
        swings=_swings(assumptions, best, overflow),
        listed=[one for one in (*prices.machines, *prices.endpoints) if one.fits == fits],
        pilot_months=situation.pilot_months,
        draws=count,
        seed=seed,
    )


def break_even(
    situation: Situation, prices: Prices, rates: Rates, fits: Size = "small", count: int = DRAWS, seed: int = SEED
) -> Payback:
    """When the best student of a situation pays back, as `assess` says it, in a tenth of the time."""
    assumptions = gather(situation, prices, rates, fits)
    exact = draws.point(assumptions)
    barred, overflow = _barred(situation), not _barred(situation)
    at_value = _reckon(exact, overflow, _ways(exact))
    net = {way: _net(way, at_value, exact)[0, AFTER[1] - 1] for way in _students(at_value, exact, barred)}
    best = max(net, key=lambda way: net[way])
    many = draws.draw(assumptions, count, seed)
    drawn = _reckon(many, overflow, (Way.prompting, best))
    return _payback(best, (at_value, exact), (drawn, many), situation.pilot_months)


def _barred(situation: Situation) -> dict[Way, str]:
    """Ways that the situation rules out, whatever they cost, with the reason."""
    if not (situation.data_may_not_leave or situation.offline):
        return {}
    reason = "the data may not leave" if situation.data_may_not_leave else "there is no network"
    return dict.fromkeys((Way.prompting, Way.endpoint, Way.tokens), reason)


def _ways(drawn: costs.Draws) -> list[Way]:
    """All ways of which the price is known."""
    return [way for way in Way if way is not Way.tokens or OPTIONAL in drawn]


def _reckon(drawn: costs.Draws, overflow: bool, ways: Iterable[Way]) -> Reckoned:
    months = {
        Way.prompting: lambda: costs.prompting(drawn, HORIZON),
        Way.self_hosted: lambda: costs.on_machines(drawn, HORIZON, "machine_price", overflow),
        Way.endpoint: lambda: costs.on_machines(drawn, HORIZON, "endpoint_price", overflow),
        Way.tokens: lambda: costs.by_token(drawn, HORIZON),
    }
    return {way: months[way]() for way in ways}


def _route(
    way: Way,
    exact: tuple[Reckoned, costs.Draws],
    many: tuple[Reckoned, costs.Draws],
    pilot_months: float | None,
    barred: str,
) -> Route:
    """One way's figures. Each is a function of the months' costs, taken at the values and over the draws."""

    def both(figure: Figure) -> Spread:
        return _spread(float(figure(*exact)[0]), figure(*many))

    student = way is not Way.prompting
    return Route(
        way=way,
        title=TITLES[way],
        barred=barred,
        monthly=both(lambda r, _: r[way].total[:, 0]),
        running=both(lambda r, _: r[way].running[:, 0]),
        once=both(lambda _, d: costs.once(d)) if student else None,
        machines=both(lambda r, _: _machines(r[way])) if exact[0][way].machines is not None else None,
        curve=_curve(exact[0][way].total, many[0][way].total),
        cumulative=_curve(_spent(way, *exact), _spent(way, *many)),
        payback=_payback(way, exact, many, pilot_months) if student else None,
        net={after: both(_net_after(way, after)) for after in AFTER} if student else {},
        times_cheaper=both(lambda r, _: _times(r, way)) if student else None,
    )


def _machines(monthly: costs.Monthly) -> "draws.Array":
    assert monthly.machines is not None
    return monthly.machines[:, 0]


def _times(reckoned: Reckoned, way: Way) -> "draws.Array":
    """How many times cheaper than prompting, in the first month; at most a million times, where a student is free."""
    import numpy as np

    asking, ours = reckoned[Way.prompting].total[:, 0], reckoned[way].total[:, 0]
    return np.minimum(1e6, np.divide(asking, ours, out=np.where(asking > 0, 1e6, 1.0), where=ours > 0))


def _spent(way: Way, reckoned: Reckoned, drawn: costs.Draws) -> "draws.Array":
    """What a way has cost by the end of each month, with what it costs before the first."""
    import numpy as np

    before = 0 if way is Way.prompting else costs.once(drawn)[:, None]
    spent: draws.Array = np.cumsum(reckoned[way].total, axis=1) + before
    return spent


def _net(way: Way, reckoned: Reckoned, drawn: costs.Draws) -> "draws.Array":
    """What a way has saved by the end of each month against prompting, less what it cost before."""
    return _spent(Way.prompting, reckoned, drawn) - _spent(way, reckoned, drawn)


def _net_after(way: Way, months: int) -> Figure:
    return lambda reckoned, drawn: _net(way, reckoned, drawn)[:, months - 1]


def _months(way: Way, reckoned: Reckoned, drawn: costs.Draws) -> "draws.Array":
    return costs.payback(reckoned[Way.prompting].total - reckoned[way].total, costs.once(drawn))


def _payback(
    way: Way, exact: tuple[Reckoned, costs.Draws], many: tuple[Reckoned, costs.Draws], pilot_months: float | None
) -> Payback:
    import numpy as np

    at_value, drawn = float(_months(way, *exact)[0]), _months(way, *many)
    low, high = np.quantile(drawn, [0.05, 0.95], method="inverted_cdf")
    low, high = min(float(low), at_value), max(float(high), at_value)
    months = [None if np.isinf(m) else m for m in (at_value, low, high)]
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
    return Curve(value=list(value), low=list(np.minimum(low, value)), high=list(np.maximum(high, value)))


def _students(reckoned: Reckoned, exact: costs.Draws, barred: dict[Way, str]) -> list[Way]:
    """The students that can be advised.

    One by the token whose request costs more than the teacher's cannot: it loses more the more it is used.
    """
    dear = OPTIONAL in exact and exact[OPTIONAL][0] > costs.teacher_price(exact)[0, 0]
    out = {Way.prompting, *barred, *([Way.tokens] if dear else [])}
    return [way for way in reckoned if way not in out]


def _swings(assumptions: dict[str, Assumption], best: Way, overflow: bool) -> list[Swing]:
    """Net value after two years with one assumption at its low and at its high end, the others at their value."""
    import numpy as np

    names = [name for name, one in assumptions.items() if one.quantity.low < one.quantity.high]
    ends: costs.Draws = {
        name: np.full(2 * len(names) + 1, one.quantity.value, dtype=float) for name, one in assumptions.items()
    }
    for row, name in enumerate(names):
        quantity = assumptions[name].quantity
        ends[name][2 * row : 2 * row + 2] = quantity.low, quantity.high
    net = _net(best, _reckon(ends, overflow, (Way.prompting, best)), ends)[:, AFTER[1] - 1]
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
