"""Ask a model about many documents: every answer is in the store before anything else happens with it.

One event loop a process, a bound on what is in flight that gives way when the server pushes back. Documents are claimed
before they are asked about, so any number of processes work on one task and nothing is asked twice; an answer is kept
(`prompts.writer`) before its document counts as done. kill -9 loses what was in flight and nothing else; ctrl-C and
SIGTERM finish what is in flight, then stop. The budget is a hard stop: what the task ever spent, plus what is in flight
at its highest price, stays within it. A wrong key, a dead endpoint, or failures in a row stop the run with one
ServiceError instead of a failure a document.

    summary = asyncio.run(label_many(store, task, documents, endpoint, Role.teacher, progress))
"""

import asyncio
import operator
import time
from collections.abc import Iterable
from dataclasses import replace

from prompts.ask import ask
from prompts.booking import begin_run, footing_charge, label_of
from prompts.call import CallFailed
from prompts.definition import Task
from prompts.endpoint import Endpoint, priced
from prompts.estimate import highest_cost, tokens_about
from prompts.fingerprint import answer_key
from prompts.footing import footing, is_known
from prompts.litellm_door import close
from prompts.pool import Chooser
from prompts.render import prompt_fingerprint
from prompts.reply import Reply
from prompts.stopping import stop_signal
from prompts.summary import LabelSummary
from prompts.supply import Supply, Terms
from prompts.throttle import Throttle
from prompts.writer import Writer
from records import runs
from records.errors import ServiceError
from records.progress import Progress, silent
from records.store import Store
from records.types import Document, Label, Outcome, Role

_FAILURES_IN_A_ROW = 12
_UNREACHABLE_IN_A_ROW = 3
_LEAST_CHUNK, _MOST_CHUNK = 16, 1_000


async def label_many(
    store: Store,
    task: Task,
    documents: Iterable[Document],
    endpoint: Endpoint,
    role: Role,
    progress: Progress = silent,
    terms: Terms | None = None,
    examples: Chooser | None = None,
) -> LabelSummary:
    """Ask about every document that has no answer yet. `documents` may be any stream; it is read as it is asked about.
    `examples` chooses what the teacher is shown with each document; None: the task's own examples.

    Raises InputError (price unknown, labels that cannot be scored apart) and ServiceError (wrong key, dead endpoint);
    what was answered until then is in the store.
    """
    endpoint, terms = priced(endpoint), terms or Terms()
    run = terms.run or begin_run(store, task, endpoint, role, terms).id
    asking = _Asking(store, task, endpoint, role, progress, replace(terms, run=run), examples)
    try:
        await asking.over(documents)
    finally:
        await close()
        if terms.run is None:
            runs.end(store, run, asking.summary.stopped)
    asking.summary.seconds = time.monotonic() - asking.summary.began
    return asking.summary


class _Asking:
    """The state of one process at work on one run: what is open, what came, why to stop."""

    def __init__(
        self,
        store: Store,
        task: Task,
        endpoint: Endpoint,
        role: Role,
        progress: Progress,
        terms: Terms,
        examples: Chooser | None,
    ) -> None:
        self._store, self._task, self._endpoint, self._role = store, task, endpoint, role
        self._progress, self._run = progress, str(terms.run)
        self._teaching = role.taught
        self._choose = examples.of_run(self._run) if examples and self._teaching else None
        self._prompt = prompt_fingerprint(task, self._teaching, self._choose.pool if self._choose else None)
        self._failures: list[Reply] = []
        self._fault: Exception | None = None
        self._total = 0
        self.summary = LabelSummary()
        self._in_flight = max(1, round(endpoint.documents_in_flight * terms.share))
        self._throttle = Throttle(
            self._in_flight, _part(endpoint.documents_per_minute, terms), _part(endpoint.tokens_per_minute, terms)
        )
        chunk = min(_MOST_CHUNK, max(_LEAST_CHUNK, self._in_flight))
        self._supply = Supply(
            store, task.name, self._run, self._bounded(terms), chunk, self._key, self._highest, self.summary
        )

    async def over(self, documents: Iterable[Document]) -> None:
        """Ask about the documents that are open. Raises the fault that stopped the run, if any."""
        self._total = operator.length_hint(documents)
        self._tell()
        with stop_signal() as stop:
            async with Writer(self._store) as writer:
                await self._ask_all(documents, writer, stop)
            self.summary.interrupted = stop.is_set() and self._fault is None and self.summary.left > 0
        self._tell()
        if self._fault is not None:
            raise self._fault

    async def _ask_all(self, documents: Iterable[Document], writer: Writer, stop: asyncio.Event) -> None:
        """A feeder and its workers, until the supply ends; after a stop, for as long as the grace lasts."""
        queue: asyncio.Queue[tuple[str, Document] | None] = asyncio.Queue(self._in_flight)
        feeder = self._feed(documents, queue, stop)
        workers = [self._work(queue, writer, stop) for _ in range(self._in_flight)]
        await self._supply.used_up([feeder, *workers], stop)

    async def _feed(
        self, documents: Iterable[Document], queue: "asyncio.Queue[tuple[str, Document] | None]", stop: asyncio.Event
    ) -> None:
        """Put what is open on the queue, then an end for each worker. The first waits for the endpoint's footing."""
        ready = False
        try:
            async for item in self._supply.open(documents, stop):
                if not ready:
                    await self._make_sure_it_answers()
                    ready = True
                await queue.put(item)
        except Exception as fault:  # kept, so that what is in flight can finish; raised by `over`
            self._fault = self._fault or fault
            stop.set()
        for _ in range(self._in_flight):  # not when cancelled: nobody takes anything off the queue any more
            await queue.put(None)

    async def _make_sure_it_answers(self) -> None:
        fresh = not is_known(self._endpoint, self._task, self._teaching)
        try:
            found = await footing(self._endpoint, self._task, self._teaching)
        except CallFailed as failure:
            where = self._endpoint.api_base or "its provider"
            raise ServiceError(f"{self._endpoint.model} at {where} does not answer: {failure}") from failure
        if fresh and found.prompt_tokens + found.completion_tokens:
            paid = footing_charge(self._task, self._endpoint, self._run, found)
            runs.charge(self._store, paid)
            self.summary.pay(paid.prompt_tokens, paid.completion_tokens, paid.cost_usd)

    async def _work(
        self, queue: "asyncio.Queue[tuple[str, Document] | None]", writer: Writer, stop: asyncio.Event
    ) -> None:
        """Take documents off the queue, one after the other, to its end; what comes after a stop is not asked about."""
        while (item := await queue.get()) is not None:
            if stop.is_set():
                self._supply.settle()
                continue
            try:
                await self._one(item[1], writer, stop)
            except Exception as fault:  # kept, so that what else is in flight can finish; raised by `over`
                self._fault = self._fault or fault
                stop.set()

    async def _one(self, document: Document, writer: Writer, stop: asyncio.Event) -> None:
        await self._throttle.acquire(tokens_about(document.text) * self._endpoint.times)
        try:
            if stop.is_set():
                return
            push_back = self._throttle.push_back
            reply = await ask(self._endpoint, self._task, document.text, self._teaching, push_back, self._choose)
            await writer.keep(self._label(document, reply))
        finally:
            self._throttle.release()
            self._supply.settle()
        self.summary.count(reply)
        self._tell()
        self._judge(reply)

    def _judge(self, reply: Reply) -> None:
        """Raise ServiceError when only failures came for a while."""
        self._failures = [*self._failures, reply] if reply.outcome is Outcome.failed else []
        away = all(r.unreachable for r in self._failures)
        if len(self._failures) >= (_UNREACHABLE_IN_A_ROW if away else _FAILURES_IN_A_ROW):
            raise ServiceError(
                f"{self._endpoint.model} failed {len(self._failures)} times in a row, the last one: {reply.error}. "
                f"{self.summary.answered} answers of this run are kept; start again once the endpoint is well."
            )

    def _key(self, document: Document) -> str:
        return answer_key(self._task.name, self._prompt, self._endpoint, document.id)

    def _label(self, document: Document, reply: Reply) -> Label:
        return label_of(self._task.name, self._endpoint, self._role, self._prompt, self._run, document.id, reply)

    def _highest(self, document: Document) -> float:
        longest = self._choose.longest if self._choose else None
        return highest_cost(self._endpoint, self._task, document.text, self._teaching, longest)

    def _bounded(self, terms: Terms) -> Terms:
        """The terms, with the task's own budget for its teacher."""
        if self._role is not Role.teacher or terms.bounds.task_usd is not None:
            return terms
        return replace(terms, bounds=replace(terms.bounds, task_usd=self._task.teacher.budget_usd))

    def _tell(self) -> None:
        summary = self.summary
        total = max(self._total, summary.seen)
        self._progress("labelling", summary.known + summary.elsewhere + summary.asked, total, summary.note)


def _part(rate: float | None, terms: Terms) -> float | None:
    """This process's part of a rate that several share."""
    return None if rate is None else rate * terms.share
