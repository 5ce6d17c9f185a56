"""label: new documents -> the teacher's answers -> what needs a person goes to the review desk.

Three steps, each of which can be repeated: what is in the store is not read, asked or sent again. A kill in the middle
loses what was in flight and nothing else. Started by a person, or by the event of `harvest`.

Run as:  retort label --task legal_intake --documents mails.jsonl        or from the Prefect UI: deployment `label`
"""

import asyncio
from typing import Annotated

from prefect import flow
from pydantic import BaseModel, Field

from flows.context import Context, Runner, TaskName, call, find_task
from flows.desk import OnDesk, send_to_desk
from flows.reporting import as_task, publish, reported_workplace
from flows.teacher import teacher_of, waiting_for
from prompts.engine import INTERRUPTED, label_many
from prompts.sources import read_documents
from prompts.task import Task
from records import library
from records.types import Role

_FAULTS_SHOWN = 20


class Arrived(BaseModel):
    """What a source brought. `faults`: place and reason of the first documents that could not be read."""

    added: int = 0
    known: int = 0
    duplicates: int = 0
    unreadable: int = 0
    faults: list[str] = []
    ids: list[str] = Field(default=[], exclude=True)


class Asked(BaseModel):
    """What the teacher did. Money in US dollars, latency in milliseconds."""

    documents: int
    known: int
    answered: int
    no_answer: int
    failed: int
    left: int
    cost_usd: float
    seconds: float
    p50_ms: float
    p95_ms: float
    stopped: str | None = None
    reasons: dict[str, int] = {}


class Labelled(BaseModel):
    """A whole run of `label`."""

    task: str
    arrived: Arrived
    asked: Asked
    desk: OnDesk

    @property
    def interrupted(self) -> bool:
        """Whether a person stopped it; what was answered until then is kept and on the desk."""
        return self.asked.stopped == INTERRUPTED

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        came, asked, desk = self.arrived, self.asked, self.desk
        lines = [
            f"**{self.task}**",
            f"- documents: {came.added} new, {came.known} known, {came.duplicates} duplicates, "
            f"{came.unreadable} unreadable",
            f"- teacher: {asked.answered} answered, {asked.known} answered before, {asked.no_answer} without an "
            f"answer, {asked.failed} failed, {asked.left} left; ${asked.cost_usd:.4f}; p50 {asked.p50_ms:.0f} ms, "
            f"p95 {asked.p95_ms:.0f} ms",
            f"- desk: {desk.sent} sent in round {desk.round} ({desk.blind} of them test documents, without a "
            f"suggestion), {desk.total} there in all, {desk.held_back} held back: {desk.url}",
        ]
        lines += [f"- stopped early: {asked.stopped}"] if asked.stopped else []
        lines += [f"- {n} x {reason}" for reason, n in asked.reasons.items()]
        return "\n".join([*lines, *(f"- unreadable: {fault}" for fault in came.faults)])


@flow(name="label")
def label(
    task: TaskName,
    documents: str = "",
    text_column: str = "",
    limit: Annotated[int, Field(ge=0, le=10_000_000)] = 0,
    budget_usd: Annotated[float, Field(ge=0)] = 0.0,
) -> Labelled:
    """Let the teacher label documents, and send to people what needs them.

    Args:
        task: A task by name (a folder in prompts/, or one used before), or the path of its folder.
        documents: A JSONL, CSV or Parquet file, a folder of txt, md and pdf files, or a hub data set.
            Empty: what is in the store.
        text_column: The column that holds the text. Empty: found by its name.
        limit: How many documents the teacher is asked about at most; all are kept. 0: no limit.
        budget_usd: US dollars that the task may ever cost, a hard stop. 0: as in task.yaml.
    """
    with reported_workplace() as context:
        result = label_documents(context, task, documents, text_column, limit, budget_usd, run=as_task)
    publish("label", result.task, result.text)
    return result


def label_documents(
    context: Context,
    task: str,
    documents: str = "",
    text_column: str = "",
    limit: int = 0,
    budget_usd: float = 0.0,
    run: Runner = call,
) -> Labelled:
    """The flow's work, step by step; `run` says how a step is run (see `flows.context.call`)."""
    found = find_task(context, task)
    arrived = run(read_source)(context, found, documents, text_column) if documents else Arrived()
    asked = run(ask_teacher)(context, found, arrived.ids if documents else None, limit, budget_usd)
    return Labelled(task=found.name, arrived=arrived, asked=asked, desk=run(send_to_desk)(context, found))


def read_source(context: Context, task: Task, source: str, text_column: str = "") -> Arrived:
    """Take the documents of a source into the store. Raises InputError when none of it can be read."""
    loaded = read_documents(source, task.name, text_column or None, progress=context.progress)
    added = library.add(context.store, loaded.documents)
    return Arrived(
        added=added.added,
        known=added.known,
        duplicates=loaded.duplicates,
        unreadable=len(loaded.faults),
        faults=[f"{fault.place}: {fault.reason}" for fault in loaded.faults[:_FAULTS_SHOWN]],
        ids=[document.id for document in loaded.documents],
    )


def ask_teacher(
    context: Context, task: Task, ids: list[str] | None = None, limit: int = 0, budget_usd: float = 0.0
) -> Asked:
    """Ask the teacher about these documents (None: all of the task) that it has not answered before."""
    documents = waiting_for(context, task, ids)[: limit or None]
    endpoint = teacher_of(context, task)
    done = asyncio.run(
        label_many(context.store, task, documents, endpoint, Role.teacher, context.progress, budget_usd or None)
    )
    return Asked(
        documents=done.documents,
        known=done.known,
        answered=done.answered,
        no_answer=done.unreadable + done.refused,
        failed=done.failed,
        left=done.left,
        cost_usd=done.cost_usd,
        seconds=done.seconds,
        p50_ms=done.latency_ms(0.5),
        p95_ms=done.latency_ms(0.95),
        stopped=done.stopped,
        reasons=dict(done.reasons.most_common(5)),
    )
