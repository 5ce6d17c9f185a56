"""The page of an advice: one self-contained HTML file that a team lead can forward, Markdown, and the same as JSON.

It loads nothing: style and pictures are inside, no script runs. Names, reasons and sources are untrusted and escaped by
Jinja's autoescape; `advice/page.html.j2` marks nothing as safe, and links only what begins with https. It has the look
of the gate's report (`evaluation/report.html.j2`). A function of the advice and the economics: the same bytes again.

    text = page.html(advice, economics, title="Legal intake"); page.write(text, reports / "legal_intake-advice.html")
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from advice import money, plots, wording
from advice.decision import Advice, Leaning, Overrule, Recommendation
from advice.figures import Economics

MOST_MISSING, OLD_DAYS = 8, 183
TONES = {
    Recommendation.distil: "go",
    Recommendation.fine_tune: "go",
    Recommendation.rag: "other",
    Recommendation.keep_prompting: "stay",
    Recommendation.measure: "open",
}
LEANINGS = {Leaning.fine_tune: "go", Leaning.prompt: "stay", Leaning.either: "open", Leaning.unknown: "none"}


def html(advice: Advice, economics: Economics, title: str = "") -> str:
    """The page. `title`: what people call the task."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    said: tuple[Any, ...] = (money.spread, money.payback, money.short, money.money, money.month, money.cheaper)
    environment.filters.update({function.__name__: function for function in (*said, wording.quantity)})
    return environment.get_template("page.html.j2").render(
        advice=advice,
        economics=economics,
        title=title or advice.task,
        verdict=money.verdict(economics),
        tones=TONES,
        leanings=LEANINGS,
        overrules=_overrules(advice),
        assumptions=_by_weight(economics),
        pictures=_pictures(economics),
        most=MOST_MISSING,
        old_prices=sum((advice.made_at.date() - one.as_of).days > OLD_DAYS for one in economics.listed),
    )


def _pictures(economics: Economics) -> dict[str, str]:
    """Data URIs by name; without anything unsure there is no sensitivity to show."""
    found = {"curves": plots.curves(economics)}
    return found | ({"tornado": plots.tornado(economics)} if economics.swings else {})


def _overrules(advice: Advice) -> list[Overrule]:
    """What settles the question first, then what holds, then what does not."""
    return sorted(advice.overrules, key=lambda one: (not one.decides, not one.holds))


def _by_weight(economics: Economics) -> list[Any]:
    """The assumptions, those that move the result most first."""
    weight = {swing.name: swing.width for swing in economics.swings}
    return sorted(economics.assumptions, key=lambda one: -weight.get(one.name, 0.0))


def markdown(advice: Advice, economics: Economics, title: str = "", where: str = "") -> str:
    """The advice for a Prefect artifact or a terminal: the sentence, the six steps, the ways, what to measure next."""
    lines = [f"## {_cell(title or advice.task)}: prompt or fine-tune?", "", f"**{_cell(advice.sentence)}**", ""]
    lines += [f"{_cell(money.verdict(economics))}", "", "| step | value | threshold | says | because |"]
    lines.append("|---|---|---|---|---|")
    for step in advice.steps:
        value = wording.quantity(step.value) if step.value else "not known"
        says = step.leaning.value + ("" if step.sure or step.value is None else ", not surely")
        lines.append(_row(f"{step.number} {step.name}", value, step.threshold, says, step.reason))
    held = [one for one in _overrules(advice) if one.holds]
    lines += ["", *(f"- **{_cell(one.name)}**: {_cell(one.reason)}" for one in held)] if held else []
    lines += ["", "| way | first month | before the first answer | pays back | net after 24 months |"]
    lines.append("|---|---|---|---|---|")
    for route in economics.routes:
        name = route.title + (f" (ruled out: {route.barred})" if route.barred else "")
        once, net = money.spread(route.once), money.spread(route.net.get(24))
        lines.append(_row(name, money.spread(route.monthly), once, money.payback(route.payback), net))
    lines += _listed("What would change it", [flip.sentence for flip in advice.flips])
    lines += _listed("What to measure next", advice.missing)
    lines += _listed("Notes", advice.notes)
    lines += [f"\nPage: {where}"] if where else []
    return "\n".join(lines) + "\n"


def _listed(heading: str, sentences: list[str]) -> list[str]:
    return ["", f"### {heading}", "", *(f"- {_cell(one)}" for one in sentences)] if sentences else []


def _row(*cells: str) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    """Text that cannot end its table cell or its line, nor be markup."""
    for mark in "\\`*_[]<>|#":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def as_dict(advice: Advice, economics: Economics) -> dict[str, Any]:
    """All of it as plain JSON data."""
    found = {"advice": advice.model_dump(mode="json"), "economics": economics.model_dump(mode="json")}
    return {"headline": advice.sentence, "verdict": money.verdict(economics), **found}


def write(page: str, path: Path) -> Path:
    """Put the page on disk, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(page)
    os.replace(name, path)
    return path
