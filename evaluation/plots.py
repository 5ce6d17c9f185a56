"""The report's pictures, as data URIs of SVG: nothing to load, sharp in print, and no text of theirs can be markup.

Drawn on matplotlib's figures directly (no pyplot, so no global state), with text as outlines: the page looks the same
on a machine without our fonts. Labels are untrusted: `$` is not mathematics here, and an unknown glyph is a box.
"""

import base64
import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.aggregate import NO_ANSWER, Measured
from evaluation.interval import Estimate
from evaluation.reliability import Bin

INK, GREY, PALE = "#1f2933", "#7b8794", "#e4e7eb"
COLOURS = {
    "student": "#0b7a75",
    "teacher": "#b8860b",
    "live": "#2f6fb0",
    "base": "#9aa5b1",
    "shown": "#616e7c",
    "baseline": "#7c5cbf",
}
CALLED = {"base": "base, untuned", "shown": "base, with examples"}
"""How roles are named in a picture, where not by themselves."""
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
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": GREY,
    "ytick.color": INK,
}


def accuracy_bars(measured: Sequence[Measured]) -> str:
    """Accuracy of each model as a bar with its interval."""
    with _style():
        figure, axes = _figure(4.0, 0.4 + 0.44 * len(measured))
        for row, m in enumerate(measured):
            value, low, high = (100 * (x or 0.0) for x in (m.accuracy.value, m.accuracy.low, m.accuracy.high))
            axes.barh(row, value, height=0.62, color=COLOURS.get(m.role, GREY), alpha=0.85)
            axes.errorbar(value, row, xerr=[[value - low], [high - value]], color=INK, capsize=3, lw=1.2)
            axes.text(101.5, row, f"{value:.1f} %", va="center", fontweight="bold")
        axes.set_yticks(range(len(measured)), [f"{CALLED.get(m.role, m.role)}\n{_cut(m.name, 30)}" for m in measured])
        axes.set(xlim=(0, 100), xlabel="right answers, per cent, with interval")
        axes.invert_yaxis()
        axes.grid(axis="x", color=PALE, lw=0.8)
        return _svg(figure)


def confusion(measured: Measured) -> str:
    """People's labels (rows) against the model's (columns); shade by row, counts where they fit."""
    names = [f.label for f in measured.labels]
    columns = [*names, NO_ANSWER] if any(NO_ANSWER in row for row in measured.confusion.values()) else names
    rows = [name for name in names if name in measured.confusion]
    counts = [[measured.confusion[r].get(c, 0) for c in columns] for r in rows]
    with _style():
        size = min(0.36, 11 / max(len(columns), 1))
        figure, axes = _figure(1.6 + size * len(columns), 1.4 + size * len(rows))
        shade = [[x / max(sum(row), 1) for x in row] for row in counts]
        axes.imshow(shade, cmap="GnBu", vmin=0, vmax=1.15, aspect="equal")
        for i, j in ((i, j) for i in range(len(rows)) for j in range(len(columns)) if len(columns) <= 30):
            if counts[i][j]:
                colour = "white" if shade[i][j] > 0.55 else INK if i == columns.index(rows[i]) == j else "#b42318"
                axes.text(j, i, str(counts[i][j]), ha="center", va="center", color=colour, fontsize=8)
        text = 8 if len(columns) <= 30 else 5
        axes.set_xticks(range(len(columns)), [_cut(c, 24) for c in columns], rotation=90, fontsize=text)
        axes.set_yticks(range(len(rows)), [_cut(r, 24) for r in rows], fontsize=text)
        axes.set(xlabel="the student says", ylabel="people say")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return _svg(figure)


def latency(latencies_s: Mapping[str, Sequence[float]], roles: Mapping[str, str], budget_ms: float | None) -> str:
    """How the time of an answer is distributed: the share of documents answered within so many milliseconds."""
    with _style():
        figure, axes = _figure(6.4, 2.6)
        for name, seconds in latencies_s.items():
            ordered = [1000 * s for s in sorted(seconds)]
            share = [100 * (i + 1) / len(ordered) for i in range(len(ordered))]
            role = roles.get(name, name)
            colour, loaded = COLOURS.get(role.split(",")[0], GREY), "in flight" in role
            axes.step(
                ordered,
                share,
                where="post",
                label=role,
                color=colour,
                lw=1.0 if loaded else 1.8,
                alpha=0.6 if loaded else 1,
            )
        if budget_ms is not None:
            axes.axvline(budget_ms, color="#b42318", lw=1, ls="--", label="p95 budget")
        axes.axhline(95, color=PALE, lw=0.8)
        axes.set(xscale="log", ylim=(0, 101), xlabel="milliseconds (log scale)", ylabel="per cent answered")
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.10g}")
        axes.xaxis.set_minor_formatter(lambda x, _: f"{x:,.10g}" if str(x).lstrip("0.")[:1] in "25" else "")
        axes.tick_params(which="both", length=2, pad=4)
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
        return _svg(figure)


def learning_curve(measured: Sequence[tuple[int, Estimate]], ahead: Sequence[tuple[int, Estimate]]) -> str:
    """Accuracy by rows trained on, with intervals; what is only said ahead is drawn pale."""
    with _style():
        figure, axes = _figure(6.4, 2.8)
        for points, colour, name in ((measured, COLOURS["student"], "measured"), (ahead, GREY, "to be expected")):
            rows = [n for n, _ in points]
            right, low, high = ([100 * x for x in side] for side in _sides([e for _, e in points]))
            below = [y - x for y, x in zip(right, low, strict=True)]
            above = [x - y for y, x in zip(right, high, strict=True)]
            if points:
                axes.errorbar(rows, right, yerr=[below, above], color=colour, marker="o", lw=1.6, capsize=3, label=name)
        axes.set(xlabel="corrected documents", ylabel="right, per cent")
        axes.grid(color=PALE, lw=0.8)
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
        return _svg(figure)


def _sides(figures: Sequence[Estimate]) -> tuple[list[float], list[float], list[float]]:
    """Values, lower and upper bounds; an open bound is the value."""
    values = [e.value or 0.0 for e in figures]
    low = [v if e.low is None else e.low for v, e in zip(values, figures, strict=True)]
    return values, low, [v if e.high is None else e.high for v, e in zip(values, figures, strict=True)]


def reliability(bins: Mapping[str, Sequence[Bin]]) -> str:
    """Accuracy by stated confidence, with intervals, by role; on the diagonal a model is as sure as it is right."""
    with _style():
        figure, axes = _figure(4.4, 3.4)
        axes.plot([0, 100], [0, 100], color=GREY, lw=1, ls="--", label="as sure as right")
        for role, rows in bins.items():
            colour = COLOURS.get(role, GREY)
            sure = [100 * b.confidence for b in rows]
            right = [100 * (b.accuracy.value or 0.0) for b in rows]
            below = [y - 100 * (b.accuracy.low or 0.0) for y, b in zip(right, rows, strict=True)]
            above = [100 * (b.accuracy.high or 0.0) - y for y, b in zip(right, rows, strict=True)]
            most = max((b.count for b in rows), default=1)
            axes.errorbar(sure, right, yerr=[below, above], color=colour, lw=1.2, alpha=0.7, capsize=2)
            axes.scatter(sure, right, s=[12 + 68 * b.count / most for b in rows], color=colour, label=role, zorder=3)
        axes.set(xlim=(0, 102), ylim=(0, 102), xlabel="stated confidence, per cent", ylabel="right, per cent")
        axes.grid(color=PALE, lw=0.8)
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
        return _svg(figure)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _style() -> Any:
    import matplotlib

    return matplotlib.rc_context(STYLE)


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, figure.add_subplot()


def _svg(figure: Any) -> str:
    """The figure as `data:image/svg+xml;base64,...`, without date or maker: the same figures give the same bytes."""
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        nameless = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", bbox_inches="tight", pad_inches=0.05, transparent=True, metadata=nameless)
    return "data:image/svg+xml;base64," + base64.b64encode(out.getvalue()).decode()
