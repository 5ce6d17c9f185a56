"""How good teacher and student are and how fast a student is, as far as verdicts and people's answers tell.

A verdict's report is JSON of whatever version wrote it, so it is read with care: what is not there is not known.
"""

from typing import Any

from advice.situation import Origin, Quantity
from evaluation.interval import wilson
from evaluation.score import candidate, score_candidate
from flows.comparing import compared
from flows.context import Context
from prompts.pool import teacher_prompt
from prompts.task import Task
from records import corrections, ledger, library, registry
from records.types import Label, Role, Split

_CONFIDENCE = 0.9


def accuracies(context: Context, task: Task) -> dict[str, Quantity]:
    """Of the newest verdict, else of the ledger against people's answers, by their names in `Situation`."""
    verdicts = registry.task_verdicts(context.store, task.name)
    report = verdicts[-1].report if verdicts else {}
    told: dict[str, Quantity] = {}
    for role in ("teacher", "student"):
        measured = report.get(role)
        if isinstance(measured, dict):
            _read(told, role, measured, f"the verdict {verdicts[-1].id}")
    pace = _pace(report, f"the verdict {verdicts[-1].id}") if verdicts else None
    told |= {"student_throughput": pace} if pace else {}
    if "teacher_accuracy" not in told:
        told |= _against_gold(context, task)
    return told


def _read(told: dict[str, Quantity], role: str, measured: dict[str, Any], source: str) -> None:
    accuracy, p95 = measured.get("accuracy"), measured.get("latency_p95_s")
    if isinstance(accuracy, dict) and accuracy.get("value") is not None and accuracy.get("n"):
        n = int(accuracy["n"])
        put(told, f"{role}_accuracy", wilson(round(accuracy["value"] * n), n, _CONFIDENCE), "share", source)
    if role == "student" and isinstance(p95, dict) and p95.get("value"):
        put(told, "student_p95_s", _Bounds(p95), "s", source)


class _Bounds:
    """An estimate as a report's JSON holds it."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.value, self.low, self.high = found.get("value"), found.get("low"), found.get("high")


def _pace(report: dict[str, Any], source: str) -> Quantity | None:
    """Requests a second: the most that was measured under load, else from how long one after another takes."""
    loads = [one["throughput_per_s"] for one in report.get("load") or () if one.get("throughput_per_s")]
    best = max((one for one in loads if one.get("value")), key=lambda one: float(one["value"]), default=None)
    if best:
        told: dict[str, Quantity] = {}
        put(told, "pace", _Bounds(best), "requests a second", f"{source}, under load")
        return told["pace"]
    measured = report.get("student")
    if not isinstance(measured, dict):
        return None
    p50, p95 = measured.get("latency_p50_s"), measured.get("latency_p95_s")
    if not (isinstance(p50, dict) and p50.get("value")):
        return None
    slowest = p95["value"] if isinstance(p95, dict) and p95.get("value") else 2 * p50["value"]
    source = f"{source}: one request after another; a machine may answer several at once"
    return _about(1 / p50["value"], p50["value"] / max(slowest, p50["value"]), 4.0, Origin.estimated, source)


def _about(value: float, low: float, high: float, origin: Origin, source: str) -> Quantity:
    ends = {"low": value * low, "value": value, "high": value * high}
    return Quantity(**ends, unit="requests a second", origin=origin, source=source)


def _against_gold(context: Context, task: Task) -> dict[str, Quantity]:
    test = {d.id for d in library.documents(context.store, task.name, Split.test)}
    gold = {i: answer for i, answer in corrections.settled(context.store, task.name).gold.items() if i in test}
    prompt = teacher_prompt(context.store, task)
    labels: dict[str, Label] = ledger.newest(context.store, task.name, Role.teacher, task.teacher.model, prompt)
    gold = {i: answer for i, answer in gold.items() if i in labels}
    scored = score_candidate(candidate(task.teacher.model, Role.teacher, labels.values()), gold, compared(task))
    told: dict[str, Quantity] = {}
    source = f"{len(gold)} test documents that people answered"
    put(told, "teacher_accuracy", wilson(sum(s.right for s in scored), len(scored), _CONFIDENCE), "share", source)
    return told


def put(told: dict[str, Quantity], name: str, found: Any, unit: str, source: str) -> None:
    """An estimate under its name; a bound that the data do not give is half or double the value."""
    if found.value is None:
        return
    low = 0.5 * found.value if found.low is None else found.low
    high = 2.0 * found.value if found.high is None else found.high
    ends = {"low": min(low, found.value), "value": found.value, "high": max(high, found.value)}
    told[name] = Quantity(**ends, unit=unit, origin=Origin.measured, source=source)
