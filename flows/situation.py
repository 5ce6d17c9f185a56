"""A task's situation, out of the store: what `retort advise` knows without being told.

    volume, repeats, peak       the newest reading of logs, or the gateway's records, whichever covers more days
    teacher's cost, latency     the same, of the teacher's answers; else the ledger
    accuracies, student's pace  the newest verdict; else the ledger against gold
    changes                     versions of the task in 90 days
    labels and their price      people's answers, and the pauses between them

`advice` knows no store and `evaluation` no advice: this is where they meet.
"""

from datetime import timedelta
from itertools import pairwise
from statistics import quantiles
from typing import Any

from advice import from_measured
from advice.measured import Measured
from advice.situation import Origin, Quantity, Situation
from evaluation.interval import mean, quantile
from flows.context import Context
from flows.measuring import GATEWAY, gateway_measured
from flows.quality import accuracies, put
from prompts.pool import teacher_prompt
from prompts.task import Task
from records import advised, corrections, ledger, library, taskbook
from records.types import Outcome, Role, Split, now

_DAYS = 90
_KNOWN_DAYS = 14
"""Before a task was known so long, its changes say nothing of how often it will change."""
_PAUSE_S = (1.0, 600.0)
"""Pauses between two answers of a person outside of these are a script's, or a break."""
_LEAST_PAUSES = 10
_CONFIDENCE = 0.9


def situation_of(context: Context, task: Task, hour: Quantity) -> Situation:
    """All that the store knows. `hour`: what an hour of a reviewer costs, in US dollars."""
    found: dict[str, Any] = _volume(context, task)
    found = {**_asking(context, task), **found}
    found |= {"changes": _changes(context, task), "example_pairs": _pairs(task)}
    found |= accuracies(context, task) | _labels(context, task, hour)
    if task.student.price_per_hour > 0:
        found["machine_price"] = _sure(task.student.price_per_hour, "USD an hour", Origin.given, "task.yaml")
    return Situation(
        task=task.name,
        teacher_model=task.teacher.model,
        data_may_not_leave=task.privacy == "self_hosted",
        **{name: one for name, one in found.items() if one is not None},
    )


def _sure(value: float, unit: str, origin: Origin, source: str) -> Quantity:
    return Quantity(value=value, low=value, high=value, unit=unit, origin=origin, source=source)


def _volume(context: Context, task: Task) -> dict[str, Any]:
    """Numbers of production, with the days that they are of; nothing where nothing was measured."""
    reading = advised.newest_reading(context.store, task.name)
    logs = Measured.model_validate(reading.measured) if reading else None
    live = gateway_measured(context, task)
    if live and (logs is None or live.days_covered > logs.days_covered):
        numbers = from_measured.numbers(live, _source(GATEWAY, live))
        for name in ("teacher_cost", "teacher_p95_s", "prompt_tokens", "completion_tokens"):
            numbers.pop(name, None)  # of all answers, the student's too
        taught = gateway_measured(context, task, teacher_only=True)
        if taught:
            numbers |= from_measured.asking(taught, _source(f"{GATEWAY}, the teacher's answers", taught))
        return {**numbers, "days_covered": live.days_covered}
    if logs is None or reading is None:
        return {}
    return {**from_measured.numbers(logs, _source(reading.source, logs)), "days_covered": logs.days_covered}


def _source(name: str, found: Measured) -> str:
    return f"{name}: {found.requests:,} requests, {found.first_day} to {found.last_day}"


def _asking(context: Context, task: Task) -> dict[str, Quantity]:
    """What the teacher's answers in the ledger took and cost."""
    prompt = teacher_prompt(context.store, task)
    labels = ledger.labels(context.store, task.name, Role.teacher, task.teacher.model, prompt)
    asked = [x for x in labels if x.copied_from is None and x.outcome is not Outcome.failed]
    source = f"the ledger: {len(asked):,} answers of {task.teacher.model}"
    told: dict[str, Quantity] = {}
    if any(label.cost_usd > 0 for label in asked):
        put(told, "teacher_cost", mean([x.cost_usd for x in asked], _CONFIDENCE), "USD a request", source)
    timed = [x.latency_s for x in asked if x.latency_s > 0]
    if len(timed) >= from_measured.LEAST_TIMED:
        put(told, "teacher_p95_s", quantile(timed, 0.95, _CONFIDENCE), "s", source)
    if any(label.prompt_tokens for label in asked):
        put(told, "prompt_tokens", mean([x.prompt_tokens for x in asked], _CONFIDENCE), "tokens", source)
        put(told, "completion_tokens", mean([x.completion_tokens for x in asked], _CONFIDENCE), "tokens", source)
    return told


def _changes(context: Context, task: Task) -> Quantity | None:
    """Versions that followed one another in 90 days; a task that is new is not known to change or to hold still."""
    since = taskbook.known_since(context.store, task.name)
    if since is None or (now() - since).days < _KNOWN_DAYS:
        return None
    seen, earlier = taskbook.versions(context.store, task.name, now() - timedelta(days=_DAYS))
    days = min(_DAYS, (now() - since).days)
    least = max(0, seen - 1)
    most = (seen if earlier else least) * _DAYS / days
    source = f"the store: {seen} versions of task.yaml in {days} days"
    value = max(float(least), least * _DAYS / days)
    return Quantity(
        value=value, low=least, high=max(value, most), unit="changes", origin=Origin.measured, source=source
    )


def _pairs(task: Task) -> Quantity | None:
    """A task that shows many examples needs many. That one shows few does not say that few suffice."""
    count = len(task.examples)
    return _sure(count, "example pairs", Origin.estimated, "the examples in task.yaml") if count >= 20 else None


def _labels(context: Context, task: Task, hour: Quantity) -> dict[str, Quantity]:
    """Answers to train on, and what one costs: the median pause between two answers of a person, times the rate."""
    test = {d.id for d in library.documents(context.store, task.name, Split.test)}
    gold = corrections.settled(context.store, task.name).gold
    told = {}
    if gold:
        source = "the desk: answers on which people agree, without the test split"
        told["labelled_examples"] = _sure(len(gold.keys() - test), "labelled examples", Origin.measured, source)
    pauses = _pauses(context, task)
    if len(pauses) >= _LEAST_PAUSES:
        low, middle, high = quantiles(pauses, n=4)
        ends = {"low": low * hour.low / 3600, "value": middle * hour.value / 3600, "high": high * hour.high / 3600}
        source = (
            f"the desk: {middle:.0f} s an answer ({len(pauses)} pauses), at {hour.value:g} USD an hour ({hour.origin})"
        )
        told["label_cost"] = Quantity(**ends, unit="USD a label", origin=Origin.estimated, source=source)
    return told


def _pauses(context: Context, task: Task) -> list[float]:
    by_person: dict[str, list[float]] = {}
    for row in corrections.all(context.store, task.name):
        by_person.setdefault(row.reviewer, []).append(row.answered_at.timestamp())
    found = [b - a for times in by_person.values() for a, b in pairwise(times)]
    return [pause for pause in found if _PAUSE_S[0] <= pause <= _PAUSE_S[1]]
