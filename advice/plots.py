"""The pictures of an advice, as data URIs of SVG: nothing to load, sharp in print, no text of theirs can be markup.

They have the look of the gate's report (`evaluation/plots.py`), which this room may not import. Drawn on matplotlib's
figures directly, without global state, with text as outlines.
"""

import base64
import io
import warnings
from typing import Any

from advice import money
from advice.figures import Curve, Economics, Payback, Route, Way

INK, GREY, PALE, BAD = "#1f2933", "#7b8794", "#e4e7eb", "#b42318"
COLOURS = {Way.prompting: "#b8860b", Way.self_hosted: "#0b7a75", Way.endpoint: "#7c5cbf", Way.tokens: "#3b6fb6"}
CLEAR: Any = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.6}
MOST_SWINGS, MOST_LETTERS = 10, 40
STYLE: Any = {
    "svg.fonttype": "path",
    "svg.hashsalt": "retort",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": PALE,
    "axes.axisbelow": True,
    "axes.labelcolor": GREY,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
}


def curves(economics: Economics) -> str:
    """Left what each way costs a month, right what is spent in all by prompting and by the best student."""
    with _style():
        figure, (monthly, spent) = _figure(9.4, 3.1, columns=2)
        for route in economics.routes:
            _band(monthly, route.curve, route, start=1, faint=route.way not in (Way.prompting, economics.best))
        _limit(monthly, [route.curve for route in economics.routes])
        monthly.set(title="Cost a month", xlabel="month", xlim=(1, 36))
        pair = [economics.route(Way.prompting), economics.student]
        for route in pair:
            _band(spent, _from_zero(route), route, start=0)
        _limit(spent, [route.cumulative for route in pair])
        _break_even(spent, pair[1])
        spent.set(title="Spent in all, with what comes before the first answer", xlabel="month", xlim=(0, 36))
        for axes in (monthly, spent):
            axes.set_xticks(range(0, 37, 6))
            axes.yaxis.set_major_formatter(lambda x, _: money.short(x))
            axes.grid(axis="y", color=PALE, lw=0.8)
        place: Any = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.03), "ncols": len(economics.routes)}
        figure.legend(*monthly.get_legend_handles_labels(), frameon=False, **place)
        figure.subplots_adjust(wspace=0.2)
        return _svg(figure)


def tornado(economics: Economics) -> str:
    """How far each assumption moves the net value after two years, from its low to its high end; the widest first."""
    swings = economics.swings[:MOST_SWINGS]
    colour = COLOURS[economics.best]
    with _style():
        figure, axes = _figure(7.4, 0.7 + 0.34 * len(swings))
        ends = [end for one in swings for end in (one.at_low, one.at_high)]
        room = 0.012 * (max(ends) - min(ends))
        for row, one in enumerate(swings):
            bar: Any = {"left": one.at_value, "height": 0.6, "color": colour}
            axes.barh(row, one.at_low - one.at_value, alpha=0.4, label=None if row else "at its low end", **bar)
            axes.barh(row, one.at_high - one.at_value, alpha=0.9, label=None if row else "at its high end", **bar)
            left, right = sorted((one.at_low, one.at_high))
            text: Any = {"va": "center", "fontsize": 8, "color": GREY, "bbox": CLEAR}
            axes.text(left - room, row, money.short(left), ha="right", **text)
            axes.text(right + room, row, money.short(right), ha="left", **text)
        axes.axvline(swings[0].at_value, color=INK, lw=1)
        if min(ends) < 0 < max(ends):
            axes.axvline(0, color=BAD, lw=1, ls="--", label="pays back in two years: right of here")
        axes.set_yticks(range(len(swings)), [_cut(one.title) + (" *" if one.assumed else "") for one in swings])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.set_xlabel("net value after two years")
        axes.xaxis.set_major_formatter(lambda x, _: money.short(x))
        axes.margins(x=0.12)
        axes.invert_yaxis()
        axes.grid(axis="x", color=PALE, lw=0.8)
        figure.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.02 - 0.1 / len(swings)), ncols=3)
        return _svg(figure)


def _band(axes: Any, curve: Curve, route: Route, start: int, faint: bool = False) -> None:
    """A line with its 90 % band; a way that is ruled out is dashed."""
    months, colour = range(start, start + len(curve.value)), COLOURS[route.way]
    label = route.title + (" (ruled out)" if route.barred else "")
    axes.plot(months, curve.value, color=colour, lw=1.2 if faint else 2, ls="--" if route.barred else "-", label=label)
    if not faint:
        axes.fill_between(months, curve.low, curve.high, color=colour, alpha=0.13, lw=0)


def _from_zero(route: Route) -> Curve:
    """What is spent, from the moment before the first month on."""
    once, spent = route.once, route.cumulative
    ends = (0.0, 0.0, 0.0) if once is None else (once.value, once.low, once.high)
    return Curve(value=[ends[0], *spent.value], low=[ends[1], *spent.low], high=[ends[2], *spent.high])


def _limit(axes: Any, shown: list[Curve]) -> None:
    """An axis on which the lines can be read, also where a range reaches a hundred times as far."""
    lines, bands = max(max(one.value) for one in shown), max(max(one.high) for one in shown)
    axes.set_ylim(0, 1.05 * max(min(bands, 3 * lines), 1e-9))


def _break_even(axes: Any, student: Route) -> None:
    """The months between which the student has paid back, with 90 %, as far as they are on the picture."""
    back: Payback | None = student.payback
    if back is None or back.low is None or back.low > 36:
        return
    axes.axvspan(back.low, min(back.high or 36, 36), color=INK, alpha=0.07, lw=0)
    if back.months is not None and back.months <= 36:
        axes.axvline(back.months, color=INK, lw=1, ls=":")
    text = f"break-even\n{money.payback(back).removeprefix('after ')}"
    side = ("right", -4) if back.low > 20 else ("left", 4)
    where: Any = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "xytext": (side[1], 0)}
    axes.annotate(text, (back.low, 0.97), ha=side[0], va="top", fontsize=8, bbox=CLEAR, **where)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…"


def _style() -> Any:
    import matplotlib

    return matplotlib.rc_context(STYLE)


def _figure(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, figure.subplots(1, columns)


def _svg(figure: Any) -> str:
    """The figure as `data:image/svg+xml;base64,...`, without date or maker: the same figures give the same bytes."""
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        nameless = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", bbox_inches="tight", pad_inches=0.05, transparent=True, metadata=nameless)
    return "data:image/svg+xml;base64," + base64.b64encode(out.getvalue()).decode()
