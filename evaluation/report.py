"""The report: one self-contained HTML page that a team lead can forward, a Markdown summary, and the same as JSON.

The page loads nothing: style and pictures are inside, no script runs. Documents and answers are untrusted and are
escaped by Jinja's autoescape; `evaluation/report.html.j2` marks nothing as safe. It is a function of the judgement, the
lineage and the texts, so a page can be made again from what the store keeps.

    page = report.html(judgement, lineage, texts); report.write(page, reports / f"{verdict_id}.html")
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import Field

from evaluation import plots, wording
from evaluation.aggregate import Measured
from evaluation.judge import LIVE, Judgement
from evaluation.sections import Section
from records.overrides import Override
from records.types import Decision, Record, now

ROLES = {"base": "the untuned base model", "shown": "the base model with examples", "live": "the live student"}
MOST_DIFFERENCES, MOST_CHARACTERS = 25, 300
OPENING = {Decision.approved: "Approved", Decision.rejected: "Rejected", Decision.inconclusive: "Not decided"}


class Lineage(Record):
    """From what the student came, and what judged it. `versions`: of the software, by package; `reviewers`: how many
    test documents each answered. The prompt is the student's, `teacher_prompt` the teacher's.
    """

    task: str
    title: str
    student_hash: str
    dataset_version: int | None = None
    dataset_hash: str = ""
    dataset_rows: dict[str, int] = Field(default_factory=dict)
    dataset_sources: dict[str, int] = Field(default_factory=dict)
    reviewers: dict[str, int] = Field(default_factory=dict)
    task_fingerprint: str = ""
    teacher_prompt: str = ""
    prompt_fingerprint: str = ""
    base_model: str = ""
    recipe: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    made_at: datetime = Field(default_factory=now)


def headline(judgement: Judgement) -> str:
    """The verdict in one sentence."""
    what = {
        Decision.approved: "the student may take the teacher's place",
        Decision.rejected: "the student may not take the teacher's place",
        Decision.inconclusive: "these test documents cannot say whether the student may take the teacher's place",
    }[judgement.ruling.decision]
    ours, theirs = judgement.student.accuracy.value or 0.0, judgement.teacher.accuracy.value or 0.0
    checked = wording.count(judgement.documents, "human-checked document")
    return (
        f"{OPENING[judgement.ruling.decision]}: {what}. It is right on {wording.percent(ours)} of {checked}, "
        f"the teacher on {wording.percent(theirs)}.{_beaten(judgement)}"
    )


def _beaten(judgement: Judgement) -> str:
    """That something simpler is right more often, where it is: said with the verdict, not below it."""
    if not judgement.better:
        return ""
    best = judgement.better[0]
    difference = judgement.against[best.name].difference
    sure = difference.high is not None and difference.high < 0
    word = "loses to" if sure else "is behind"
    rate = wording.percent(best.accuracy.value or 0.0)
    return f" It {word} {_called(best)}: {rate}{'' if sure else ', which may be chance'}."


def warnings(judgement: Judgement) -> list[str]:
    """What must not be overlooked: a baseline that beats the student, a teacher whose service failed."""
    said = []
    for other in judgement.better:
        difference = judgement.against[other.name].difference
        sure = difference.high is not None and difference.high < 0
        advice = "Consider it instead." if sure else "That may be chance; consider whether it would be enough."
        said.append(
            f"{_opening(_called(other))} is right more often than the student: {wording.share(other.accuracy)}. "
            f"The student minus it is {wording.points(difference)}. {advice}"
        )
    if judgement.paired.credited:
        lost = wording.count(judgement.paired.credited, "document")
        said.append(f"The teacher's service failed on {lost}; in the comparison they count as right for the teacher.")
    return said


def trust_advice(judgement: Judgement) -> str | None:
    """Where to put `review.trust_above`, by the teacher's answers on the test split; None without a confidence."""
    found = judgement.reliability.get(judgement.teacher.name)
    if found is None:
        return None
    said = wording.coverage(found, judgement.wanted_precision)
    if found.coverage is None or not found.coverage.shown:
        return f"review.trust_above: no value is shown to keep the wanted precision. {said}"
    return f"review.trust_above: {wording.threshold(found.coverage)} would keep the wanted precision. {said}"


def _opening(text: str) -> str:
    return text[:1].upper() + text[1:]


def _called(measured: Measured) -> str:
    said = f"{ROLES[measured.role]} " if measured.role in ROLES else ""
    return f"{said}({measured.name})" if said else measured.name


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


def summary_markdown(judgement: Judgement, lineage: Lineage, where: str = "") -> str:
    """The verdict for a Prefect artifact or a terminal: sentence, warnings, reasons, a table of the models."""
    lines = [f"## {_cell(lineage.title)}", "", f"**{headline(judgement)}**", ""]
    lines += [f"> **Note.** {_cell(said)}\n" for said in warnings(judgement)]
    lines += [f"- {_cell(reason)}" for reason in judgement.ruling.reasons]
    lines += ["", "| | accuracy | macro-F1 | no answer | p95 latency | cost per 1,000 |", "|---|---|---|---|---|---|"]
    for m in (judgement.student, judgement.teacher, *judgement.others):
        figures = (m.accuracy, m.macro_f1, m.no_answer)
        cells = [f"{m.role}: {_cell(m.name)}", *(wording.share(x) for x in figures)]
        cells += [wording.seconds(m.latency_p95_s), wording.dollars(m.cost_per_1000_usd)]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [f"\n{_cell(one.name)}: {_cell(one.why)}." for one in judgement.absent]
    for one in judgement.load:
        lines.append(f"\n{wording.count(one.in_flight, 'request')} in flight: {_cell(wording.load(one))}.")
    pair = judgement.paired
    difference, p = wording.points(pair.difference), wording.probability(pair.mcnemar_p)
    lines += ["", f"Student minus teacher: {difference}, McNemar {p}."]
    advice = trust_advice(judgement)
    lines += [f"\n{_cell(advice)}"] if advice else []
    lines += [f"\nReport: {where}"] if where else []
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Text that cannot end its table cell or its line, nor be markup."""
    for mark in "\\`*_[]<>|#":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def as_dict(judgement: Judgement, lineage: Lineage, sections: Sequence[Section] = ()) -> dict[str, Any]:
    """All of it as plain JSON data, for `Verdict.report` and `--json`."""
    return {
        "sections": [section.model_dump(mode="json") for section in sections],
        "headline": headline(judgement),
        "warnings": warnings(judgement),
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
