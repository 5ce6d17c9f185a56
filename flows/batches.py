"""The step that asks the teacher in batches, at half the price: collect what is done, hand in what is open.

It waits for nothing: a batch takes up to a day, and each run of the step takes all of them one step on. So the same
command polls (`retort label --batch`), and so does the deployment `batches`, which hands in what came back unasked.
"""

import asyncio
import os
from collections.abc import Iterable

from flows.asking import Asked, not_spared, summed
from flows.context import Context
from flows.teacher import teacher_of
from prompts.batches import BatchSummary, collect, hand_in
from prompts.copies import copy_answers
from prompts.endpoint import teacher_endpoint
from prompts.litellm_door import close
from prompts.supply import Terms
from prompts.task import Task, restore_task
from records import batches, library, taskbook
from records.batches import Batch
from records.claims import Bounds
from records.errors import InputError, ServiceError
from records.types import Document, Outcome, Role


class InBatches(Asked):
    """What was collected now (`answered`, `no_answer`, `failed`, the sums), and what was handed in.

    `waiting`: documents that wait in batches, `unsure` of them in one of which it is still to be found out whether it
    reached the provider; `waiting_usd`: what they can cost at most; `reopened`: they came back unasked (expired, lost),
    and are open again; `left_behind`: files that could not be deleted at the provider.
    """

    submitted: int = 0
    batches: int = 0
    waiting: int = 0
    waiting_usd: float = 0.0
    unsure: int = 0
    reopened: int = 0
    left_behind: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The sums, for people (Markdown)."""
        lines = [
            f"- teacher, in batches: {self.answered} answered now, {self.known} before, {self.no_answer} without an "
            f"answer, {self.failed} failed, {self.reopened} came back unasked; ${self.cost_usd:.4f}",
            f"- batches: {self.submitted} documents handed in now ({self.batches} batches); {self.waiting} wait in "
            f"all, for ${self.waiting_usd:.4f} at most",
        ]
        lines += ["- run it again with --batch to collect; a batch takes up to 24 hours"] if self.waiting else []
        if self.unsure:
            lines.append(f"- whether {self.unsure} of them reached the provider is still to be found out")
        lines += [f"- not deleted at the provider: {file}" for file in self.left_behind]
        return [*lines, f"- stopped early: {self.stopped}"] if self.stopped else lines


def ask_in_batches(
    context: Context,
    task: Task,
    ids: list[str] | None = None,
    limit: int = 0,
    budget_usd: float = 0.0,
    again: tuple[Outcome, ...] = (Outcome.failed,),
) -> InBatches:
    """Collect what is done of the task's batches, then hand in these documents (None: all) as far as they are open.

    Raises InputError where the teacher has no batch API, ServiceError where a batch was refused as a whole.
    """
    terms = Terms(bounds=Bounds(run_usd=budget_usd or None, documents=limit or None), again=again)
    waiting, endpoint = library.Stream(context.store, task.name, ids).ids, teacher_of(context, task)
    chosen = not_spared(context, task, endpoint, waiting)
    done = asyncio.run(_ask(context, task, library.Stream(context.store, task.name, chosen), terms))
    return done.model_copy(update={"copied": copy_answers(context.store, task, endpoint, waiting)})


def poll_batches(context: Context, task: Task) -> InBatches:
    """Collect what is done of the task's batches, and hand in again what came back unasked."""
    return asyncio.run(_ask(context, task, None, Terms()))


def tasks_that_wait(context: Context) -> list[str]:
    """The names of the tasks that have something in batches."""
    return sorted({batch.task for batch in batches.batches(context.store)})


async def _ask(context: Context, task: Task, documents: Iterable[Document] | None, terms: Terms) -> InBatches:
    """`documents`: what to hand in; None: what came back unasked."""
    summary = BatchSummary()
    try:
        for batch in batches.batches(context.store, task.name):
            then = _version(context, batch, task)
            endpoint = teacher_endpoint(then, context.settings.models, os.environ)
            await collect(context.store, batch, then, endpoint, summary, context.progress)
        if summary.refused_batches:
            why = "; ".join(summary.refused_batches)
            raise ServiceError(
                f"{task.name}: the provider refused a batch as a whole: {why[:600]}. Nothing was paid for it, and its "
                "documents are open again: correct the cause, then label again, with --batch or without."
            )
        back = library.Stream(context.store, task.name, summary.reopened)
        endpoint = teacher_of(context, task)
        if documents is not None or summary.reopened:
            args = (endpoint, Role.teacher, summary, terms, context.progress)
            await hand_in(context.store, task, back if documents is None else documents, *args)
    finally:
        await close()
    told = summed(summary).model_dump()
    names = ("submitted", "batches", "waiting", "unsure", "left_behind")
    more = {name: getattr(summary, name) for name in names}
    waiting_usd = batches.waiting_usd(context.store, task.name)
    return InBatches(**told, **more, reopened=len(summary.reopened), waiting_usd=waiting_usd)


def _version(context: Context, batch: Batch, task: Task) -> Task:
    """The task as it was when the batch was handed in: its labels and schema read the answers."""
    if batch.version == task.fingerprint:
        return task
    found = taskbook.definition(context.store, batch.task, batch.version)
    if found is None:
        raise InputError(f"{batch.task}: the version {batch.version} that batch {batch.id} asked with is not known.")
    return restore_task(*found)
