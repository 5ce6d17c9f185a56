"""The people's report for eyes: Markdown for the terminal and Prefect, and a section of HTML for the gate's report.

    markdown(report)            text
    section(report)             HTML: one <section>, no script, no style but the page's own
    shown(report)               what a template needs that says `{% include "people.html.j2" %}`, as `people`

Names of reviewers and labels are untrusted: Jinja's autoescape escapes them there, `_cell` here.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from evaluation import wording
from evaluation.ceiling import figure
from evaluation.interval import Estimate
from evaluation.people import PeopleReport
from evaluation.reviewers import Reviewer
from evaluation.worth import Worth

MOST = 10


def section(report: PeopleReport) -> str:
    """The HTML by itself."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("people.html.j2").render(people=shown(report))


def shown(report: PeopleReport) -> dict[str, Any]:
    """What `people.html.j2` reads as `people`, for a page that includes it."""
    return {"sentences": sentences(report), "tables": [table for table in tables(report) if table[2]]}


def markdown(report: PeopleReport) -> str:
    """The same as text."""
    lines = [f"- {_cell(said)}" for said in sentences(report)]
    for title, heads, rows in tables(report):
        if rows:
            lines += ["", f"**{title}**", "", _line(heads), _line(["---"] * len(heads))]
            lines += [_line(map(_cell, row)) for row in rows]
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """Text that cannot end its cell or line, nor be markup."""
    for mark in "\\`*_[]<>|#":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def sentences(report: PeopleReport) -> list[str]:
    """What is to be known first."""
    whole = report.agreement.whole
    most = f", {report.by_majority} by a majority" if report.by_majority else ""
    said = [
        f"{wording.count(report.settled, 'document')} settled, {report.decided} of them by a lead{most}; "
        f"{report.disputed} disputed, which are gold for nobody."
    ]
    if whole.units:
        said.append(
            f"Two people agree on {wording.share(whole.pairwise)} ({wording.count(whole.units, 'document')}); "
            f"Krippendorff's alpha {figure(whole.alpha)}."
        )
    if report.short:
        said.append(
            f"{wording.count(report.short, 'test document')} {'has' if report.short == 1 else 'have'} fewer answers "
            "than asked for; where these agree they are gold meanwhile."
        )
    said += report.ceiling.lines
    if report.anchoring:
        said.append(report.anchoring.text)
    said += [f"{one.name}: {watch}." for one in report.reviewers for watch in one.watch]
    return [*said, _noise(report)]


def _noise(report: PeopleReport) -> str:
    noise = report.noise
    if noise.why_not:
        return f"No settled answer was doubted: {noise.why_not}."
    if not noise.judged:
        return "No settled answer was doubted: there is none."
    return (
        f"A bag of words reads {wording.count(len(noise.doubts), 'settled answer')} of {noise.judged:,} otherwise, "
        "in part by errors of its own: retort second-look lists them, the likeliest slips first."
    )


Table = tuple[str, list[str], list[list[str]]]


def tables(report: PeopleReport) -> list[Table]:
    """Title, heads, rows."""
    return [
        _people(report.reviewers),
        _pairs(report),
        _labels(report),
        _fields(report),
        _mixed(report),
        _changes("What people change in the teacher's answers, test documents", report.test),
        _changes("What people change, documents chosen for review", report.train),
        _wrong(report.test),
    ]


def _people(found: Sequence[Reviewer]) -> Table:
    heads = ["reviewer", "answers", "seconds each", "suggestions kept", "like the others", "like the lead"]
    heads += ["second readings right", "same as before"]
    rows = [
        [
            one.name,
            f"{one.answered:,}",
            _seconds(one.pace.seconds),
            *(_share(e) for e in (one.kept, one.with_others, one.with_lead, one.reading_right, one.reading_same)),
        ]
        for one in found
    ]
    return "Reviewers", heads, rows


def _seconds(estimate: Estimate) -> str:
    return "" if estimate.value is None else f"{estimate.value:.0f} (of {estimate.n:,} timed)"


def _share(estimate: Estimate) -> str:
    return wording.share(estimate) + f" of {estimate.n:,}" if estimate.n else ""


def _pairs(report: PeopleReport) -> Table:
    rows = [
        [f"{p.first} and {p.second}", f"{p.documents:,}", wording.share(p.agreed), figure(p.kappa)]
        for p in report.agreement.pairs
    ]
    return "Pairs of reviewers", ["pair", "documents", "agree", "Cohen's kappa"], rows


def _labels(report: PeopleReport) -> Table:
    found = sorted(report.agreement.labels, key=lambda x: 2.0 if x.alpha.value is None else x.alpha.value)
    rows = [[x.label, f"{x.said:,}", figure(x.alpha)] for x in found[:MOST]]
    return "Labels that people agree on least", ["label", "answers", "alpha, this label or another"], rows


def _fields(report: PeopleReport) -> Table:
    found = report.agreement.fields.items()
    rows = [[name, f"{x.units:,}", wording.share(x.pairwise), figure(x.alpha)] for name, x in found]
    return "Fields", ["field", "documents", "agree", "alpha"], rows


def _mixed(report: PeopleReport) -> Table:
    rows = [
        [m.one if m.one == m.other else f"{m.one} / {m.other}", f"{m.documents:,}"] for m in report.agreement.mixed_up
    ]
    return "What people differ on", ["answers", "documents"], rows[:MOST]


def _changes(title: str, found: Worth) -> Table:
    rows = [
        [
            c.teacher if c.teacher == c.people else f"{c.teacher} → {c.people}",
            f"{c.documents:,}",
            f"{100 * c.share:.0f} %",
        ]
        for c in found.changes
    ]
    heads = ["teacher → people", "documents", "of all changes"]
    return f"{title}: {_share(found.changed)}", heads, rows[:MOST]


def _wrong(found: Worth) -> Table:
    seen = [x for x in found.labels if x.wrong.value]
    seen.sort(key=lambda x: -(x.wrong.value or 0.0) * x.unreviewed)
    rows = [[x.label, f"{x.reviewed:,}", wording.share(x.wrong), f"{x.unreviewed:,}"] for x in seen[:MOST]]
    heads = ["teacher's label", "test documents", "wrong", "answers with it that nobody looked at"]
    return "Where the teacher errs", heads, rows
