"""The report: one self-contained HTML page that a team lead can forward, a Markdown summary, and the same as JSON.

The page loads nothing: style and pictures are inside, no script runs. Documents and answers are untrusted and are
escaped by Jinja's autoescape; `evaluation/report.html.j2` marks nothing as safe. It is a function of the judgement, the
lineage and the texts, so a page can be made again from what the store keeps.

    page = report.html(judgement, lineage, texts); report.write(page, reports / f"{verdict_id}.html")
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation import plots, wording
from evaluation.judge import LIVE, Judgement
from evaluation.lineage import Lineage as Lineage
from evaluation.sections import Section
from evaluation.sentences import headline as headline
from evaluation.sentences import summary_markdown as summary_markdown
from evaluation.sentences import table, trust_advice
from evaluation.sentences import warnings as warnings
from records.overrides import Override

MOST_DIFFERENCES, MOST_CHARACTERS = 25, 300


def html(
    judgement: Judgement,
    lineage: Lineage,
    texts: Mapping[str, str],
    sections: Sequence[Section] = (),
    overrides: Sequence[Override] = (),
) -> str:
    """The page. `texts` by document id: only those shown are used, cut to about 300 characters. `sections` of other
    rooms stand before the differences; `overrides` right below the verdict.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    said: tuple[Any, ...] = (wording.share, wording.seconds, wording.dollars, wording.points)
    said += (wording.answer, wording.probability, wording.percent, wording.calibration, wording.coverage)
    said += (wording.rate, wording.money, wording.count)
    environment.filters.update({function.__name__: function for function in said})
    return environment.get_template("report.html.j2").render(
        j=judgement,
        lineage=lineage,
        headline=headline(judgement),
        warnings=warnings(judgement),
        sections=sections,
        overrides=overrides,
        excerpts={i: _excerpt(texts.get(i)) for i in shown(judgement)},
        most=MOST_DIFFERENCES,
        pictures=_pictures(judgement),
        advice=trust_advice(judgement),
        live=next((m for m in judgement.others if m.role == LIVE), None),
        teacher_f1={figures.label: figures.f1 for figures in judgement.teacher.labels},
    )


def shown(judgement: Judgement) -> list[str]:
    """The documents that the page quotes."""
    differ, disputed = judgement.differences[:MOST_DIFFERENCES], judgement.disputed[:MOST_DIFFERENCES]
    return [*(row.document_id for row in differ), *(row.document_id for row in disputed)]


def _excerpt(text: str | None) -> str:
    if text is None:
        return "(text not at hand)"
    plain = " ".join(text.split())
    return plain if len(plain) <= MOST_CHARACTERS else plain[:MOST_CHARACTERS].rsplit(" ", 1)[0] + " …"


def _pictures(judgement: Judgement) -> dict[str, str]:
    """Data URIs by name; a picture without data is left out."""
    models = [judgement.student, judgement.teacher, *judgement.others]
    found = {"accuracy": plots.accuracy_bars(models)}
    if judgement.student.confusion:
        found["confusion"] = plots.confusion(judgement.student)
    if judgement.reliability:
        roles = {judgement.teacher.name: "teacher", judgement.student.name: "student"}
        found["reliability"] = plots.reliability({roles[n]: r.bins for n, r in judgement.reliability.items()})
    timed = {name: seconds for name, seconds in judgement.latencies_s.items() if seconds}
    if timed:
        roles = {m.name: m.role for m in models}
        loaded = {f"student, {one.in_flight} in flight": one.latencies_s for one in judgement.load if one.in_flight > 1}
        found["latency"] = plots.latency(timed | loaded, roles, judgement.rule.p95_latency_ms)
    return found


def as_dict(judgement: Judgement, lineage: Lineage, sections: Sequence[Section] = ()) -> dict[str, Any]:
    """All of it as plain JSON data, for `Verdict.report` and `--json`."""
    return {
        "sections": [section.model_dump(mode="json") for section in sections],
        "headline": headline(judgement),
        "warnings": warnings(judgement),
        "table": table(judgement),
        "lineage": lineage.model_dump(mode="json"),
        **judgement.model_dump(mode="json"),
    }


def from_dict(said: Mapping[str, Any]) -> tuple[Judgement, Lineage, list[Section]]:
    """What `as_dict` was made of."""
    kept = {name: value for name, value in said.items() if name in Judgement.model_fields}
    sections = [Section.model_validate(one) for one in said.get("sections", [])]
    return Judgement.model_validate(kept), Lineage.model_validate(said["lineage"]), sections


def write(page: str, path: Path) -> Path:
    """Put the page on disk, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(page)
    os.replace(name, path)
    return path
