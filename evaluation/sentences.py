"""What a judgement comes to in words: the verdict in one sentence, warnings, advice, a table, a Markdown summary."""

import re
from collections.abc import Sequence

from evaluation import wording
from evaluation.aggregate import Measured
from evaluation.judge import Judgement
from evaluation.lineage import Lineage
from evaluation.load import LoadRun
from evaluation.rule import State
from records.types import Decision

OPENING = {Decision.approved: "Approved", Decision.rejected: "Rejected", Decision.inconclusive: "Not decided"}
ROLES = {"base": "the untuned base model", "shown": "the base model with examples", "live": "the live student"}
BECAUSE = {
    "accuracy": "its accuracy",
    "live": "its accuracy beside the live student's",
    "labels": "a label that it loses",
    "latency": "its latency",
    "cost": "its cost",
    "answers": "answers that cannot be read",
}
_MARK = re.compile(r"[\\`*\[\]<>|#]|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown could take for markup; an underscore within a word (`review.trust_above`) it does not."""


def headline(judgement: Judgement) -> str:
    """The verdict in one sentence."""
    what = {
        Decision.approved: "the student may take the teacher's place",
        Decision.rejected: "the student may not take the teacher's place",
        Decision.inconclusive: "these test documents cannot say whether the student may take the teacher's place",
    }[judgement.ruling.decision]
    ours, theirs = judgement.student.accuracy.value or 0.0, judgement.teacher.accuracy.value or 0.0
    checked = wording.count(judgement.documents, "human-checked document")
    broken = [BECAUSE[axis.name] for axis in judgement.ruling.axes if axis.state is State.broken]
    because = f", because of {' and '.join(broken)}" if broken else ""
    return (
        f"{OPENING[judgement.ruling.decision]}: {what}{because}. It is right on {wording.percent(ours)} of {checked}, "
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
    """What must not be overlooked: a baseline that beats the student, a teacher whose service failed, a latency that
    was measured again.
    """
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
    return [*said, *([_measured_again(judgement.load_runs)] if any(run.reason for run in judgement.load_runs) else [])]


def _measured_again(runs: Sequence[LoadRun]) -> str:
    """All measurements with their p95, when each was made and why again: the verdict rests on the last."""
    told = [
        f"{wording.milliseconds(run.latency_p95_s)} on {run.made_at:%-d %B %Y, %H:%M} UTC"
        + (f", repeated by {run.by} because: {run.reason.rstrip('.')}" if run.reason else "")
        for run in runs
    ]
    times = wording.count(len(runs), "time")
    return f"Latency measured {times}: p95 {'; '.join(told)}. The verdict rests on the last ({runs[-1].id})."


def trust_advice(judgement: Judgement) -> str | None:
    """Where to put `review.trust_above`, by the teacher's answers on the test split; None without a confidence."""
    found = judgement.reliability.get(judgement.teacher.name)
    if found is None:
        return None
    said = wording.coverage(found, judgement.wanted_precision)
    if found.coverage is None or not found.coverage.shown:
        return f"review.trust_above: no value is shown to keep the wanted precision. {said}"
    threshold = found.coverage.threshold
    if judgement.trust_from is None:
        return f"review.trust_above: {wording.threshold(threshold)} would keep the wanted precision. {said}"
    counts = f"{wording.threshold(judgement.trust_from)} (a stated {threshold:.4g}, calibrated)"
    return f"review.trust_above: {counts} would keep the wanted precision. {said}"


def _opening(text: str) -> str:
    return text[:1].upper() + text[1:]


def _called(measured: Measured) -> str:
    said = f"{ROLES[measured.role]} " if measured.role in ROLES else ""
    return f"{said}({measured.name})" if said else measured.name


def summary_markdown(judgement: Judgement, lineage: Lineage, where: str = "") -> str:
    """The verdict for a Prefect artifact or a terminal: sentence, warnings, reasons, a table of the models."""
    lines = [f"## {_cell(lineage.title)}", "", f"**{headline(judgement)}**", ""]
    lines += [f"> **Note.** {_cell(said)}\n" for said in warnings(judgement)]
    lines += [f"- {_cell(reason)}" for reason in judgement.ruling.reasons]
    rows = table(judgement)
    lines += ["", f"| {' | '.join(['', *list(rows[0])[1:]])} |", "|" + "---|" * len(rows[0])]
    lines += [f"| {' | '.join(_cell(cell) for cell in row.values())} |" for row in rows]
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


def table(judgement: Judgement) -> list[dict[str, str]]:
    """Every model and its figures, as they are read: a row a model, by column."""
    return [
        {
            "model": f"{'base' if m.role == 'shown' else m.role}: {m.name}",
            "accuracy": wording.share(m.accuracy),
            "macro-F1": wording.share(m.macro_f1),
            "no answer": wording.share(m.no_answer),
            "p95 latency": wording.seconds(m.latency_p95_s),
            "cost per 1,000": wording.dollars(m.cost_per_1000_usd),
        }
        for m in (judgement.student, judgement.teacher, *judgement.others)
    ]


def _cell(text: str) -> str:
    """Text that cannot end its table cell or its line, nor be markup."""
    return " ".join(_MARK.sub(r"\\\g<0>", text).split())
