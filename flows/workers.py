"""Several processes that label one task: for a teacher that answers faster than one Python process can ask.

Each worker is a process like any other that labels (claims keep them apart, see `records.claims`); it has its part of
the limits in flight and a minute. This process begins the run, shows the sums of all, hands a ctrl-C on, and ends the
run. A worker that loses its parent stops as on ctrl-C. On several machines the same happens without this module: start
the deployment `label` on each, with the store on Postgres.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from prompts.booking import begin_run, open_of
from prompts.endpoint import Endpoint
from prompts.engine import label_many
from prompts.pool import chooser
from prompts.summary import LabelSummary
from prompts.supply import Terms
from prompts.task import Task
from records import library, runs
from records.errors import RetortError, ServiceError
from records.progress import Progress
from records.store import Store
from records.types import Role

_POLL_S = 0.5
_Worker = tuple[BaseProcess, Connection]


def label_in_processes(
    store: Store,
    store_url: str,
    task: Task,
    ids: Sequence[str],
    endpoint: Endpoint,
    progress: Progress,
    terms: Terms,
    workers: int,
) -> LabelSummary:
    """Ask the teacher about these documents of the store in `workers` processes. Raises what `label_many` raises."""
    run = begin_run(store, task, endpoint, Role.teacher, terms)
    own = replace(terms, run=run.id, share=1 / workers)
    open_ = open_of(store, task, endpoint, Role.teacher, ids, terms.again)
    summary = LabelSummary(seen=len(ids), known=len(ids) - len(open_))
    try:
        with _started((store_url, task, open_, endpoint, own), workers) as started:
            results = _followed(started, lambda: _tell(store, run.id, summary, progress))
        for result in results:
            if isinstance(result, LabelSummary):
                summary.add(result)
    finally:
        runs.end(store, run.id, summary.stopped)
    summary.seconds = time.monotonic() - summary.began
    for result in results:
        if isinstance(result, Exception):
            raise result
    return summary


@contextmanager
def _started(work: tuple[Any, ...], workers: int) -> Iterator[list[_Worker]]:
    """The processes at work. However the block ends, they are asked to stop, and are gone when it has ended."""
    spawn = multiprocessing.get_context("spawn")
    started: list[_Worker] = []
    process: BaseProcess
    try:
        for _ in range(workers):
            ours, theirs = spawn.Pipe(duplex=False)
            process = spawn.Process(target=_work, args=(theirs, *work), name="retort-label")
            process.start()
            theirs.close()
            started.append((process, ours))
        yield started
    finally:
        for process, _ in started:
            if process.is_alive():
                process.terminate()
        for process, _ in started:
            process.join()


def _followed(started: Sequence[_Worker], tell: Any) -> list[LabelSummary | Exception]:
    """What each worker gave, or the error that ended it. A ctrl-C is handed on, and what is in flight awaited."""
    results: list[LabelSummary | Exception] = []
    waiting = {pipe: process for process, pipe in started}
    while waiting:
        try:
            for pipe in wait(list(waiting), timeout=_POLL_S):
                assert isinstance(pipe, Connection)
                results.append(_result(pipe, waiting.pop(pipe)))
                if isinstance(results[-1], Exception):
                    _stop(waiting.values())
            tell()
        except KeyboardInterrupt:
            _stop(waiting.values())
    return results


def _result(pipe: Connection, process: BaseProcess) -> LabelSummary | Exception:
    try:
        found: LabelSummary | Exception = pipe.recv()
        return found
    except EOFError:
        process.join()
        return ServiceError(
            f"a labelling process ended by itself (exit code {process.exitcode}); what it answered is kept. "
            "Start again: only what was in flight is asked again."
        )


def _stop(processes: Any) -> None:
    for process in processes:
        process.terminate()


def _tell(store: Store, run: str, summary: LabelSummary, progress: Progress) -> None:
    now = runs.get(store, run)
    speed = now.asked / max(1e-3, time.monotonic() - summary.began)
    parts = [f"{getattr(now, name)} {name}" for name in ("unreadable", "refused", "failed") if getattr(now, name)]
    note = ", ".join([*parts, f"{speed:.1f}/s", f"${now.cost_usd:.4f}"])
    progress("labelling", summary.known + now.asked, summary.seen, note)


def _work(pipe: Connection, store_url: str, task: Task, ids: list[str], endpoint: Endpoint, terms: Terms) -> None:
    """A worker's whole life: label, and say through the pipe what came of it."""
    os.setpgrp()  # a ctrl-C at the terminal reaches the parent alone, which hands it on once
    threading.Thread(target=_stop_without_parent, daemon=True).start()
    store = Store.open(store_url)
    try:
        documents = library.Stream(store, task.name, ids)
        examples = chooser(store, task, os.environ)
        done = label_many(store, task, documents, endpoint, Role.teacher, terms=terms, examples=examples)
        pipe.send(asyncio.run(done))
    except RetortError as fault:  # the parent raises it
        pipe.send(fault)
    except Exception as fault:  # of a vendor: it may not survive the way through a pipe
        pipe.send(ServiceError(f"a labelling process failed: {type(fault).__name__}: {fault}"))
    finally:
        store.close()


def _stop_without_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
