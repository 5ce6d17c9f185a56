"""The teacher is asked about documents of the store: the step of `label` and of `retry`, and what came of it."""

import asyncio

from pydantic import BaseModel

from flows.context import Context
from flows.examples import examples_of
from flows.teacher import teacher_of
from flows.workers import label_in_processes
from prompts.copies import copy_answers, to_be_asked
from prompts.endpoint import Endpoint
from prompts.engine import label_many
from prompts.summary import INTERRUPTED, LabelSummary
from prompts.supply import Terms
from prompts.task import Task
from records import kindred, library
from records.claims import Bounds
from records.types import Outcome, Role, Split


class Asked(BaseModel):
    """What the teacher did. Money in US dollars, latency in milliseconds (None: nothing was answered).

    `elsewhere`: documents that another run is asking about; `reasons`: why there is no answer, with how often and one
    example of each.
    """

    documents: int
    known: int
    elsewhere: int
    answered: int
    no_answer: int
    failed: int
    left: int
    cost_usd: float
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    p50_ms: float | None
    p95_ms: float | None
    stopped: str | None = None
    reasons: dict[str, tuple[int, str]] = {}
    copied: int = 0

    @property
    def interrupted(self) -> bool:
        """Whether a person stopped it; what was answered until then is kept."""
        return self.stopped == INTERRUPTED

    @property
    def lines(self) -> list[str]:
        """The sums, for people (Markdown)."""
        told = (
            f"- teacher: {self.answered} answered, {self.known} answered before, {self.no_answer} without an answer, "
            f"{self.failed} failed, {self.left} left; ${self.cost_usd:.4f}"
        )
        if self.p50_ms is not None and self.p95_ms is not None:
            speed = (self.answered + self.no_answer + self.failed) / max(1e-3, self.seconds)
            told += f"; p50 {self.p50_ms:.0f} ms, p95 {self.p95_ms:.0f} ms, {speed:.1f} documents a second"
        lines = [told]
        lines += [f"- {self.elsewhere} are being asked about by another run"] if self.elsewhere else []
        lines += [f"- {self.copied} answers copied from a near-duplicate"] if self.copied else []
        lines += [f"- stopped early: {self.stopped}"] if self.stopped else []
        return lines

    @property
    def table(self) -> list[str]:
        """Why there is no answer, as a Markdown table; empty when there is nothing to say."""
        if not self.reasons:
            return []
        rows = [f"| {why} | {count} | {_cell(example)} |" for why, (count, example) in self.reasons.items()]
        return ["", "| no answer, because | documents | for example |", "|---|---|---|", *rows]


def ask_teacher(
    context: Context,
    task: Task,
    ids: list[str] | None = None,
    limit: int = 0,
    budget_usd: float = 0.0,
    workers: int = 1,
    again: tuple[Outcome, ...] = (Outcome.failed,),
) -> Asked:
    """Ask the teacher about these documents (None: all of the task) that it has not answered before.

    `limit`: documents at most; `budget_usd`: for this run, beside the task's own; 0: none. `again`: outcomes of earlier
    runs that are asked anew.
    """
    endpoint = teacher_of(context, task)
    terms = Terms(bounds=Bounds(run_usd=budget_usd or None, documents=limit or None), again=again)
    waiting = library.Stream(context.store, task.name, ids).ids
    copied = copy_answers(context.store, task, endpoint, waiting)
    chosen = not_spared(context, task, endpoint, waiting)
    if workers > 1:
        store_url = context.settings.store
        done = label_in_processes(context.store, store_url, task, chosen, endpoint, context.progress, terms, workers)
    else:
        documents, examples = library.Stream(context.store, task.name, chosen), examples_of(context, task)
        asking = label_many(context.store, task, documents, endpoint, Role.teacher, context.progress, terms, examples)
        done = asyncio.run(asking)
    copied += copy_answers(context.store, task, endpoint, waiting)
    return summed(done).model_copy(update={"copied": copied})


def not_spared(context: Context, task: Task, endpoint: Endpoint, ids: list[str]) -> list[str]:
    """The documents that the teacher itself is to answer: none that get the answer of a near-duplicate, or have one
    from a log, where the task says so; always the whole test split.
    """
    return to_be_asked(context.store, task, endpoint, _without_logged(context, task, ids))


def _without_logged(context: Context, task: Task, ids: list[str]) -> list[str]:
    if task.logs is None or task.logs.ask_teacher:
        return ids
    logged = kindred.logged(context.store, task.name)
    places = kindred.places(context.store, task.name, [i for i in ids if i in logged])
    return [i for i in ids if i not in logged or places[i].split is Split.test]


def summed(done: LabelSummary) -> Asked:
    """A run's sums as a result."""
    return Asked(
        documents=done.documents,
        known=done.known,
        elsewhere=done.elsewhere,
        answered=done.answered,
        no_answer=done.unreadable + done.refused,
        failed=done.failed,
        left=done.left,
        cost_usd=done.cost_usd,
        prompt_tokens=done.prompt_tokens,
        completion_tokens=done.completion_tokens,
        seconds=done.seconds,
        p50_ms=done.latency_ms(0.5),
        p95_ms=done.latency_ms(0.95),
        stopped=done.stopped,
        reasons={why: (n, done.examples.get(why, "")) for why, n in done.reasons.most_common(20)},
    )


def _cell(text: str) -> str:
    """A text of a model or a server within a table of ours."""
    return " ".join(text.split()).replace("|", "\\|")
