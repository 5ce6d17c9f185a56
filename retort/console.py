"""What a person at a terminal sees: bars for long work on stderr, results on stdout, one sentence for an error.

stdout carries only the result (text, or one JSON object with `--json`), so that scripts can read it.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from records.progress import Progress as Tell

err = Console(stderr=True)
out = Console()


@contextmanager
def bars() -> Iterator[Tell]:
    """One bar a stage, on a terminal moving, in a log file one line as a stage begins and one as it ends."""
    if not err.is_terminal:
        yield _Lines()
        return
    columns = (
        TextColumn("{task.description:<14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=err) as live:
        yield _Bars(live)


class _Bars:
    def __init__(self, live: Progress) -> None:
        self._live = live
        self._stages: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int, note: str) -> None:
        if stage not in self._stages:
            self._stages[stage] = self._live.add_task(stage, total=total or None, note="")
        self._live.update(self._stages[stage], completed=done, total=total or None, note=note[:80])


class _Lines:
    """Where nobody watches: a line at the start, at each tenth, and at the end of a stage."""

    def __init__(self) -> None:
        self._tenth: dict[str, int] = {}

    def __call__(self, stage: str, done: int, total: int, note: str) -> None:
        tenth = 10 * done // total if total else 0
        if self._tenth.get(stage) != tenth:
            self._tenth[stage] = tenth
            print(f"{stage}: {done}/{total or '?'} {note}", file=sys.stderr, flush=True)


def show(result: BaseModel, as_json: bool, text: str) -> None:
    """Print a step's result: as one JSON object, or as text for people."""
    if as_json:
        print(json.dumps(result.model_dump(mode="json"), ensure_ascii=False))
    else:
        out.print(text, highlight=False, markup=False, soft_wrap=True)
