"""What production logs say of each task: files of any format that is known, or what the gateway recorded.

Files are read line by line; only sketches and counts are held. What is known of a task is kept in the store, where
`retort advise` finds it. The readers of `prompts` know what a log's line asked; the meter of `advice` counts.

Run as:  retort measure logs.jsonl --task legal_intake        or without files: what the gateway recorded
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from advice.entries import Entry, EntryReader
from advice.measured import Measured, Report
from advice.meter import UNNAMED, Meter
from advice.telling import markdown
from flows.context import Context, find_task
from prompts.logs import asked_of
from prompts.readers import read_rows
from prompts.rows import Fault, LeftOut, Row
from prompts.task import Task
from records import advised, taskbook, traffic
from records.errors import InputError
from records.progress import Progress
from records.types import Outcome

_TELL_EVERY = 20_000
_LOGS = (".jsonl", ".ndjson", ".json", ".csv", ".parquet")
GATEWAY = "the gateway's records"


class Measurement(BaseModel):
    """One reading. `kept`: tasks whose figures `retort advise` finds in the store."""

    reports: list[Report]
    kept: list[str] = []

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        told = [markdown(report) for report in self.reports] or [
            "Nothing was recorded: give log files, or use the gateway."
        ]
        named = any(one.task == UNNAMED for report in self.reports for one in report.tasks)
        hint = "The log names no task: `--task NAME` keeps these figures for `retort advise`." if named else ""
        return "\n\n".join([*told, *([hint] if hint else [])])


def measure_logs(
    context: Context, logs: Sequence[str], task: str = "", mapping: Mapping[str, str] | None = None
) -> Measurement:
    """The step. `logs`: files, or folders of such; none: what the gateway recorded.

    Raises InputError for a file that is none, an unknown field of the mapping, an unknown task.
    """
    if not logs:
        names = [task] if task else taskbook.names(context.store)
        found = [gateway_report(context, find_task(context, name)) for name in names]
        return Measurement(reports=[report for report in found if report.tasks])
    name = _name(task)
    meter = Meter(", ".join(Path(one).name for one in logs), only=name)
    reader = EntryReader(mapping)
    for file in _files(logs):
        _count(meter, reader, file, context.progress)
    report = meter.report()
    kept = [one for one in report.tasks if one.task != UNNAMED]
    for one in kept:
        reading = advised.Reading(task=one.task, source=report.source, measured=one.model_dump(mode="json"))
        advised.keep_reading(context.store, reading)
    return Measurement(reports=[report], kept=[one.task for one in kept])


def _name(task: str) -> str | None:
    """A task by its folder is known by the folder's name here: it need not be defined yet to be measured."""
    return Path(task).expanduser().resolve().name if "/" in task else task or None


def _files(logs: Sequence[str]) -> Iterator[str]:
    for one in logs:
        path = Path(one).expanduser()
        if not path.is_dir():
            yield str(path)
            continue
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in _LOGS and file.is_file())
        if not found:
            raise InputError(f"{one}: no log in this folder. Logs end in {', '.join(_LOGS)}.")
        yield from map(str, found)


def _count(meter: Meter, reader: EntryReader, file: str, progress: Progress) -> None:
    name = Path(file).name
    for row in read_rows(file):
        if isinstance(row, Fault):
            meter.fault(f"{name} {row.place}", row.reason)
        elif isinstance(row, Row):
            _take(meter, reader, row, f"{name} {row.place}")
        else:
            meter.leave_out(row.kind)
        if meter.lines % _TELL_EVERY == 0:
            progress("reading logs", meter.lines, 0, f"{meter.bad} bad")
    progress("reading logs", meter.lines, meter.lines, f"{meter.bad} bad")


def _take(meter: Meter, reader: EntryReader, row: Row, place: str) -> None:
    """One line: whatever it holds, it is counted, and never ends the reading."""
    try:
        asked = reader.input_of(row.values) if reader.maps_input else asked_of(row.values)
        if isinstance(asked, LeftOut):
            meter.leave_out(asked.kind)
            return
        entry = reader.read(row.values, None if asked is None else digest(asked))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as fault:
        entry = f"it cannot be read ({type(fault).__name__})"
    if isinstance(entry, str):
        meter.fault(place, entry)
    else:
        meter.add(entry)


def digest(text: str) -> int:
    """64 bits of a text's hash."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def gateway_report(context: Context, task: Task, teacher_only: bool = False) -> Report:
    """What the gateway recorded of a task, scaled by the share that it keeps. `teacher_only`: without a student's."""
    meter = Meter(GATEWAY, sampled=task.traffic.sample_rate or 1.0, only=task.name)
    for n, one in enumerate(traffic.stream(context.store, task.name), 1):
        if one.by_teacher or not teacher_only:
            meter.add(_entry(task.name, one))
        if n % _TELL_EVERY == 0:
            context.progress("reading traffic", n, 0, "")
    return meter.report()


def _entry(task: str, one: traffic.Asked) -> Entry:
    failed, tokens = one.outcome in (Outcome.failed, Outcome.refused), (one.prompt_tokens, one.completion_tokens)
    return Entry(task, one.at, digest(one.text), *tokens, one.cost_usd, one.latency_s, failed, one.model)


def gateway_measured(context: Context, task: Task, teacher_only: bool = False) -> Measured | None:
    """The figures of the one task; None where nothing was recorded."""
    tasks = gateway_report(context, task, teacher_only).tasks
    return tasks[0] if tasks else None
