"""Ask a model about many documents: every answer is in the store before anything else happens with it.

One event loop, a bound on what is in flight. A document whose answer is in the ledger is not asked again; a failed one
is. kill -9 loses what was in flight and nothing else; ctrl-C and SIGTERM finish what is in flight, then stop.
The budget is a hard stop: what the task ever spent, plus what is in flight at its highest price, stays within it.
A wrong key, a dead endpoint, or failures in a row stop the run with one ServiceError instead of a failure a document.

    summary = asyncio.run(label_many(store, task, documents, endpoint, Role.teacher, progress))
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any

from prompts.ask import Reply, ask
from prompts.call import CallFailed
from prompts.definition import Task
from prompts.endpoint import Endpoint, priced
from prompts.fingerprint import answer_key
from prompts.footing import footing, is_known
from prompts.litellm_door import close
from prompts.render import prompt_fingerprint, render
from prompts.stopping import stop_signal
from prompts.summary import LabelSummary
from records import ledger
from records.errors import ServiceError
from records.progress import Progress, silent
from records.store import Store
from records.types import Document, Label, Outcome, Role

INTERRUPTED = "interrupted"
"""Why a run ended early that a person stopped."""
_FAILURES_IN_A_ROW = 12
_UNREACHABLE_IN_A_ROW = 3
_GRACE_S = 30.0


async def label_many(
    store: Store,
    task: Task,
    documents: Sequence[Document],
    endpoint: Endpoint,
    role: Role,
    progress: Progress = silent,
    budget_usd: float | None = None,
) -> LabelSummary:
    """Ask about every document that has no answer yet. `budget_usd`: by default the teacher's in `task.yaml`.

    Raises InputError (price unknown, labels that cannot be scored apart) and ServiceError (wrong key, dead endpoint);
    what was answered until then is in the store.
    """
    began = time.monotonic()
    if budget_usd is None and role is Role.teacher:
        budget_usd = task.teacher.budget_usd
    run = _Run(store, task, priced(endpoint), role, progress, budget_usd)
    try:
        await run.over(documents)
    finally:
        await close()
    run.summary.seconds = time.monotonic() - began
    return run.summary


class _Run:
    """The state of one run: what is open, what was spent, why to stop."""

    def __init__(
        self,
        store: Store,
        task: Task,
        endpoint: Endpoint,
        role: Role,
        progress: Progress,
        budget_usd: float | None,
    ) -> None:
        self._store, self._task, self._endpoint, self._role = store, task, endpoint, role
        self._progress, self._budget = progress, budget_usd
        self._teaching = role is Role.teacher
        self._prompt = prompt_fingerprint(task, self._teaching)
        self._spent = ledger.spent(store, task.name)
        self._in_flight_usd = 0.0
        self._failures: list[Reply] = []
        self._fault: Exception | None = None
        self.summary = LabelSummary(0)

    async def over(self, documents: Sequence[Document]) -> None:
        """Ask about the documents that are open. Raises the fault that stopped the run, if any."""
        keyed = {answer_key(self._task.name, self._prompt, self._endpoint, d.id): d for d in documents}
        known = ledger.answered_keys(self._store, self._task.name, self._endpoint.model)
        open_ = [(key, document) for key, document in keyed.items() if key not in known]
        self.summary = LabelSummary(len(keyed), known=len(keyed) - len(open_))
        self._tell()
        if not open_:
            return
        await self._make_sure_it_answers()
        await self._ask_all(open_)
        if self._fault is not None:
            raise self._fault

    async def _make_sure_it_answers(self) -> None:
        fresh = not is_known(self._endpoint, self._task, self._teaching)
        try:
            found = await footing(self._endpoint, self._task, self._teaching)
        except CallFailed as failure:
            where = self._endpoint.api_base or "its provider"
            raise ServiceError(f"{self._endpoint.model} at {where} does not answer: {failure}") from failure
        if fresh:
            self.summary.prompt_tokens += found.prompt_tokens
            self.summary.completion_tokens += found.completion_tokens
            self.summary.cost_usd += self._endpoint.cost(found.prompt_tokens, found.completion_tokens)
            self._spent += self.summary.cost_usd

    async def _ask_all(self, open_: list[tuple[str, Document]]) -> None:
        queue = iter(open_)
        with stop_signal() as stop:
            count = min(self._endpoint.max_in_flight, len(open_))
            workers: asyncio.Future[Any] = asyncio.gather(*(self._work(queue, stop) for _ in range(count)))
            waiting: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
            try:
                await asyncio.wait([workers, waiting], return_when=asyncio.FIRST_COMPLETED)
                await asyncio.wait([workers], timeout=_GRACE_S)
            finally:
                workers.cancel()
                waiting.cancel()
                await asyncio.gather(workers, waiting, return_exceptions=True)
            if stop.is_set() and self.summary.stopped is None and next(queue, None):
                self.summary.stopped = INTERRUPTED

    async def _work(self, queue: Iterator[tuple[str, Document]], stop: asyncio.Event) -> None:
        """Take documents off the queue, one after the other, until it is empty or the run is to stop."""
        while not stop.is_set():
            highest = 0.0
            found = next(queue, None)
            if found is None:
                return
            key, document = found
            if self._budget is not None:
                highest = self._highest_cost(document)
                if self._spent + self._in_flight_usd + highest > self._budget:
                    self.summary.stopped = f"budget of ${self._budget:g} used up"
                    return
            self._in_flight_usd += highest
            try:
                reply = await ask(self._endpoint, self._task, document.text, self._teaching)
                self._keep(key, document, reply)
            except Exception as fault:  # kept, so that what else is in flight can finish; raised by `over`
                self._fault = self._fault or fault
                stop.set()
            finally:
                self._in_flight_usd -= highest

    def _keep(self, key: str, document: Document, reply: Reply) -> None:
        ledger.save(self._store, self._label(key, document, reply))
        self._spent += reply.cost_usd
        self.summary.count(reply)
        self._tell()
        self._failures = [*self._failures, reply] if reply.outcome is Outcome.failed else []
        away = all(r.unreachable for r in self._failures)
        if len(self._failures) >= (_UNREACHABLE_IN_A_ROW if away else _FAILURES_IN_A_ROW):
            raise ServiceError(
                f"{self._endpoint.model} failed {len(self._failures)} times in a row, the last one: {reply.error}. "
                f"{self.summary.answered} answers of this run are kept; start again once the endpoint is well."
            )

    def _label(self, key: str, document: Document, reply: Reply) -> Label:
        return Label(
            key=key,
            task=self._task.name,
            document_id=document.id,
            role=self._role,
            model=self._endpoint.model,
            prompt=self._prompt,
            outcome=reply.outcome,
            value=reply.value,
            confidence=reply.confidence,
            scores=reply.scores,
            raw=reply.raw,
            error=reply.error,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            cost_usd=reply.cost_usd,
            latency_s=reply.latency_s,
        )

    def _highest_cost(self, document: Document) -> float:
        """What asking can cost at most: a token has two bytes or more, on the whole; the answer is bounded."""
        messages = render(self._task, document.text, self._teaching)
        length = sum(len(m["content"].encode()) for m in messages)
        return self._endpoint.cost(length // 2 + 8 * len(messages), self._endpoint.max_tokens)

    def _tell(self) -> None:
        summary = self.summary
        self._progress("labelling", summary.known + summary.asked, summary.documents, summary.note)
