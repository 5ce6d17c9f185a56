"""How the money and the months of an advice are said, on the page, in Markdown and in the terminal alike.

spread(s)  -> "$18,100 ($8,600 to $45.1k)"      payback(p) -> "after 13.4 months (11.2 to 16.9)"
verdict(e) -> "Student on own machines: pays back after 13.4 months (90 %: 11.2 to 16.9 months)."
"""

from advice.figures import Curve, Economics, Payback, Route, Spread, Way
from advice.wording import number


def money(value: float) -> str:
    """Dollars: $1,200, $0.04, −$5,300."""
    sign = "−" if value < 0 else ""
    return f"{sign}${number(abs(value))}"


def short(value: float) -> str:
    """Dollars on an axis: $1.2k, −$35k, $2M."""
    size, sign = abs(value), "−" if value < 0 else ""
    for unit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if size >= unit * 0.9995:
            return f"{sign}${size / unit:.3g}{letter}"
    return f"{sign}${size:.3g}"


def spread(figure: Spread | None) -> str:
    """An amount of dollars with its 90 % range."""
    if figure is None:
        return "–"
    return money(figure.value) + ("" if figure.low == figure.high else f" ({_end(figure.low)} to {_end(figure.high)})")


def month(curve: Curve, number_: int) -> Spread:
    """A curve's figure in one month, the first being 1."""
    at = number_ - 1
    return Spread(value=curve.value[at], low=curve.low[at], high=curve.high[at])


def times(figure: Spread | None) -> str:
    """15 times, with its range."""
    if figure is None:
        return "–"
    return f"{number(figure.value)} times" + _range(number(figure.low), number(figure.high), number(figure.value))


def payback(back: Payback | None) -> str:
    """When it pays back, with its range; what lies beyond five years is never."""
    if back is None:
        return "–"
    if back.months is None:
        soonest = "" if back.low is None else f" (at best after {_month(back.low)} months)"
        return f"not within five years{soonest}"
    latest = "never" if back.high is None else _month(back.high)
    ends = _range(_month(back.low or 0.0), latest, _month(back.months))
    return f"after {_month(back.months)} months{ends}"


def verdict(economics: Economics) -> str:
    """What the economics say, in a sentence or two: the best student, when it pays back, and the pilot."""
    best, pilot = economics.student, economics.pilot_months
    back = best.payback
    assert back is not None, "the best student is never the teacher"
    barred = economics.route(Way.prompting).barred
    if barred:
        net, word = best.net[24], "more" if best.net[24].value < 0 else "less"
        over = f"it costs {money(abs(net.value))} {word} over two years than prompting would"
        return f"{best.title}: prompting is ruled out ({barred}); {over}."
    said = f"{best.title}: {_pays(back)}."
    if pilot is not None and back.pilot_chance is not None:
        said += f" Within a pilot of {number(pilot)} months: {_chance(back.pilot_chance)}."
    return said


def _pays(back: Payback) -> str:
    if back.months is None:
        return f"does not pay back within five years at these numbers ({_chance(back.chances[60])})"
    if back.low == back.high:
        return f"pays back after {_month(back.months)} months"
    latest = "never" if back.high is None else f"{_month(back.high)} months"
    return f"pays back after {_month(back.months)} months (90 %: {_month(back.low or 0.0)} to {latest})"


def _chance(share: float) -> str:
    words: dict[float, str] = {0: "never", 1: "always"} if share in (0, 1) else {0: "almost never", 1: "almost always"}
    return words.get(round(share, 2)) or f"in {100 * share:.0f} % of all draws"


def cheaper(route: Route) -> str:
    """How the months compare: "15 times cheaper a month", "dearer a month"."""
    figure = route.times_cheaper
    if figure is None:
        return ""
    if figure.value >= 1:
        return f"{number(figure.value)} times cheaper a month"
    return f"{number(1 / figure.value)} times dearer a month" if figure.value > 0 else "dearer a month"


def _end(value: float) -> str:
    """The end of a range: short where it is long, for it is not known to the dollar."""
    return money(value) if abs(value) < 10_000 else short(value)


def _month(value: float) -> str:
    return f"{value:.1f}"


def _range(low: str, high: str, value: str) -> str:
    return "" if low == high == value else f" ({low} to {high})"
