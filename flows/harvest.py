"""harvest: what production was asked -> new documents -> `label`.

A request becomes a document once, by its content; its split follows from that content, so what is harvested into the
test split is never trained on. Started by its schedule (nightly, off until switched on), or by a person.

Run as:  retort harvest --task legal_intake
"""

from typing import Annotated

from prefect import flow
from pydantic import BaseModel, Field

from flows.context import Context, Runner, call, task_name
from flows.reporting import NEW_DOCUMENTS, announce, as_task, publish, reported_workplace
from records import ledger, library, taskbook, traffic
from records.library import document
from records.types import Document, Role
from serving.harvest import Harvested, documents_of

TRAFFIC = "traffic"
"""The source of documents that production brought."""


class Brought(BaseModel):
    """What one task's traffic gave."""

    task: str
    requests: int
    added: int
    known: int
    unlabelled: int

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        return (
            f"- **{self.task}**: {self.requests} requests, {self.added} new documents, {self.known} known, "
            f"{self.unlabelled} wait for the teacher"
        )


class Harvest(BaseModel):
    """One run."""

    tasks: list[Brought]

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        return "\n".join(one.text for one in self.tasks) or "No task was ever used."


@flow(name="harvest")
def harvest(task: str = "", limit: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000) -> Harvest:
    """Bring production traffic back as documents.

    Args:
        task: A task by name. Empty: every task that was ever used.
        limit: Requests of a task at most, the oldest first.
    """
    with reported_workplace() as context:
        result = harvest_traffic(context, task, limit, run=as_task)
    for one in result.tasks:
        if one.unlabelled:
            announce(NEW_DOCUMENTS, one.task)
    publish("harvest", task or "all", result.text)
    return result


def harvest_traffic(context: Context, task: str = "", limit: int = 10_000, run: Runner = call) -> Harvest:
    """The flow's work. Raises InputError for an unknown task."""
    names = [task_name(context, task)] if task else taskbook.names(context.store)
    return Harvest(tasks=[run(bring_back)(context, name, limit) for name in names])


def bring_back(context: Context, task: str, limit: int = 10_000) -> Brought:
    """One task's requests as documents. First kept, then marked: after a kill in between, they are known documents."""
    requests = traffic.unharvested(context.store, task, limit)
    texts = documents_of(requests)
    added = library.add(context.store, [_document(task, found) for found in texts])
    traffic.mark_harvested(context.store, [request.id for request in requests])
    context.progress("harvest", len(requests), len(requests), f"{added.added} new")
    labelled = ledger.newest(context.store, task, Role.teacher)
    waiting = [d for d in library.documents(context.store, task) if d.source == TRAFFIC and d.id not in labelled]
    return Brought(task=task, requests=len(requests), added=added.added, known=added.known, unlabelled=len(waiting))


def _document(task: str, found: Harvested) -> Document:
    metadata: dict[str, str | int | float] = {"asked": found.asked}
    return document(task, found.text, source=TRAFFIC, external_id=found.request_id, metadata=metadata)
