"""How a flow tells of itself in Prefect: steps as tasks, progress and reports as artifacts, events.

Steps call `progress(...)` from event loops and threads, many times a second; a thread of its own sends the newest
state to Prefect every two seconds (one write a row would drown the server: see docs on Prefect's limits).
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.context import get_run_context
from prefect.events import emit_event

from flows.context import Context, workplace

P = ParamSpec("P")
R = TypeVar("R")
_EVERY_SECONDS = 2.0

ENOUGH = "retort.corrections.enough"
STUDENT_READY = "retort.student.ready"
NEW_DOCUMENTS = "retort.documents.new"
ADVICE_CHANGED = "retort.advice.changed"


def as_task(step: Callable[P, R]) -> Callable[P, R]:
    """A flow's way to run a step: as a Prefect task. Steps resume from the store, so Prefect caches nothing."""
    return task(name=step.__name__.replace("_", " "), cache_policy=NO_CACHE, persist_result=False)(step)


def announce(event: str, task_name: str, **payload: Any) -> None:
    """Tell the other deployments. A hint: what counts is in the store, and the next poll finds it there."""
    emit_event(
        event, resource={"prefect.resource.id": f"retort.task.{task_name}"}, payload={"task": task_name, **payload}
    )


def publish(flow_name: str, task_name: str, text: str) -> None:
    """Keep a run's report (Markdown) with the run; the newest of a flow and task has one place in the UI."""
    key = f"{flow_name}-{task_name.replace('_', '-')}"
    create_markdown_artifact(markdown=text, key=key, description=f"{flow_name} {task_name}")


def publish_table(name: str, task_name: str, rows: list[dict[str, str]], told: str) -> None:
    """Keep a table with the run, under a place of its own in the UI."""
    create_table_artifact(table=rows, key=f"{name}-{task_name.replace('_', '-')}", description=told)


@contextmanager
def reported_workplace() -> Iterator[Context]:
    """A step's workplace inside a flow run, whose progress shows as an artifact of the run."""
    board = _Board(get_run_context().flow_run.id)  # type: ignore[union-attr]
    try:
        with workplace(board.tell) as context:
            yield context
    finally:
        board.close()


class _Board:
    """The progress artifact of one flow run, one per stage, updated by a thread."""

    def __init__(self, flow_run_id: UUID) -> None:
        self._flow_run_id = flow_run_id
        self._stages: dict[str, tuple[int, int, str]] = {}
        self._sent: dict[str, tuple[int, int, str]] = {}
        self._artifacts: dict[str, Any] = {}
        self._began: dict[str, tuple[float, int]] = {}
        self._logger = get_run_logger()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self._thread.start()

    def tell(self, stage: str, done: int, total: int, note: str) -> None:
        if stage not in self._stages:
            self._logger.info("%s", stage)
        if stage not in self._stages or done < self._stages[stage][0]:  # begun again, by the next of several trainings
            self._began[stage] = (time.monotonic(), done)
        self._stages[stage] = (done, total, note)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        with get_client(sync_client=True) as client:
            while not self._stop.wait(_EVERY_SECONDS):
                self._send(client)
            self._send(client)

    def _send(self, client: SyncPrefectClient) -> None:
        for stage, state in list(self._stages.items()):
            if self._sent.get(stage) != state:
                self._send_one(client, stage, state)
                self._sent[stage] = state

    def _left(self, stage: str, done: int, total: int) -> str:
        """How long it will take yet, at the speed since the stage began."""
        began, at = self._began[stage]
        if not at < done < total:
            return ""
        seconds = (time.monotonic() - began) * (total - done) / (done - at)
        return f" (about {timedelta(seconds=round(seconds))} left)"

    def _send_one(self, client: SyncPrefectClient, stage: str, state: tuple[int, int, str]) -> None:
        done, total, note = state
        share = 100.0 * done / total if total else 0.0
        text = f"{stage}: {done} of {total or '?'} {note}{self._left(stage, done, total)}"
        if stage in self._artifacts:
            client.update_artifact(self._artifacts[stage], ArtifactUpdate(data=share, description=text))
            return
        made = client.create_artifact(
            ArtifactCreate(type="progress", data=share, description=text, flow_run_id=self._flow_run_id)
        )
        self._artifacts[stage] = made.id
