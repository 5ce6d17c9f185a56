"""Ask the teacher why, about many answers: the most important first, each kept before anything else happens with it.

As `prompts.engine` asks for answers: questions are claimed in the store before they are asked, within the task's budget
and the run's at their highest price; what is in flight keeps to the endpoint's limits; ctrl-C finishes it. But a reason
is a help and no answer: a dead endpoint, or failures in a row, end the asking, and say so, instead of being raised.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prompts.booking import begin_run
from prompts.call import CallFailed
from prompts.definition import Task
from prompts.endpoint import Endpoint, priced
from prompts.estimate import tokens_about, tokens_at_most
from prompts.litellm_door import close
from prompts.rationale import Reason, ask_why, key_of, most_tokens, rationale_messages
from prompts.redaction import MaskingFailed
from prompts.stopping import stop_signal
from prompts.summary import INTERRUPTED, LabelSummary
from prompts.supply import Supply, Terms
from prompts.throttle import Throttle
from records import claims, rationales, runs
from records.errors import ServiceError
from records.progress import Progress, silent
from records.rationales import PURPOSE, Rationale
from records.runs import Charge
from records.store import Store
from records.types import Document, Label, Outcome, Role

_FAILURES_IN_A_ROW = 3
"""Each has used up its retries by then; people wait for the documents."""


@dataclass
class Explained:
    """What one asking did. `asked`: questions that were answered now; `why`: of those without, with how often."""

    asked: int = 0
    cost_usd: float = 0.0
    why: Counter[str] = field(default_factory=Counter)
    stopped: str | None = None


async def explain_many(
    store: Store,
    task: Task,
    endpoint: Endpoint,
    questions: Sequence[tuple[Document, Label]],
    progress: Progress = silent,
    terms: Terms | None = None,
) -> Explained:
    """Ask, in this order, why each document has this answer of the teacher's, where that was not asked before.

    Raises InputError when the price is not known. `terms`: its bounds, beside the task's own budget.
    """
    known = rationales.get(store, [key_of(label) for _, label in questions])
    open_ = [(document, label) for document, label in questions if key_of(label) not in known]
    if not open_:
        return Explained()
    endpoint, terms = priced(endpoint), terms or Terms()
    run = begin_run(store, task, endpoint, Role.teacher, terms).id
    asking = _Explaining(store, task, endpoint, run, open_, progress, terms)
    try:
        await asking.over(document for document, _ in open_)
    finally:
        await close()
        runs.end(store, run, asking.done.stopped)
    return asking.done


class _Explaining:
    """The state of one asking: what is open, what came, why to stop."""

    def __init__(
        self,
        store: Store,
        task: Task,
        endpoint: Endpoint,
        run: str,
        open_: Sequence[tuple[Document, Label]],
        progress: Progress,
        terms: Terms,
    ) -> None:
        self._store, self._task, self._endpoint, self._run, self._progress = store, task, endpoint, run, progress
        self._labels: Mapping[str, Label] = {document.id: label for document, label in open_}
        self._in_a_row = 0
        self.done = Explained()
        self._throttle = Throttle(endpoint.max_in_flight, endpoint.requests_per_minute, endpoint.tokens_per_minute)
        bounds = claims.Bounds(task.teacher.budget_usd, terms.bounds.run_usd)
        self._summary = LabelSummary()
        self._supply = Supply(
            store, task.name, run, Terms(bounds), endpoint.max_in_flight, self._key, self._highest, self._summary
        )

    async def over(self, documents: Iterable[Document]) -> None:
        """Ask about these, until the end, a bound, a ctrl-C or an endpoint that is not well."""
        with stop_signal() as stop:
            open_, turn = self._supply.open(documents, stop), asyncio.Lock()
            workers = [self._work(open_, turn, stop) for _ in range(self._endpoint.max_in_flight)]
            await self._supply.used_up(workers, stop)
        self._settle(stop.is_set())

    async def _work(self, open_: AsyncIterator[tuple[str, Document]], turn: asyncio.Lock, stop: asyncio.Event) -> None:
        while True:
            async with turn:  # an iterator gives one at a time
                item = await anext(open_, None)
            if item is None:
                return
            try:
                await self._one(*item, stop)
            finally:
                self._supply.settle()

    async def _one(self, key: str, document: Document, stop: asyncio.Event) -> None:
        await self._throttle.acquire(tokens_about(document.text))
        try:
            # Looked up once more now that it is claimed: another process may have asked in between.
            known = await asyncio.to_thread(rationales.get, self._store, [key])
            if known or stop.is_set():
                return
            label, push_back = self._labels[document.id], self._throttle.push_back
            assert label.value is not None
            said = await ask_why(self._endpoint, self._task, document.text, label.value, push_back)
            await self._keep(key, label, said)
        except (CallFailed, MaskingFailed, ServiceError) as fault:
            await self._give_up(key, fault, stop)
        finally:
            self._throttle.release()

    async def _keep(self, key: str, label: Label, said: Reason) -> None:
        assert label.value is not None
        row = Rationale(
            key=key,
            task=label.task,
            document_id=label.document_id,
            model=label.model,
            prompt=label.prompt,
            value=label.value,
            text=said.text,
            error=said.error,
            prompt_tokens=said.prompt_tokens,
            completion_tokens=said.completion_tokens,
            cost_usd=said.cost_usd,
            run=self._run,
        )
        await asyncio.to_thread(rationales.keep, self._store, row)
        self._in_a_row = 0
        self.done.asked += 1
        self.done.cost_usd += said.cost_usd
        self._progress("explaining", self.done.asked, len(self._labels), f"${self.done.cost_usd:.4f}")

    async def _give_up(self, key: str, fault: Exception, stop: asyncio.Event) -> None:
        """This one goes without; what was billed all the same is charged."""
        billed = _billed(self._task, self._endpoint, self._run, fault) if isinstance(fault, CallFailed) else None
        await asyncio.to_thread(rationales.give_up, self._store, key, billed)
        self.done.why[str(fault)] += 1
        self.done.cost_usd += billed.cost_usd if billed else 0.0
        self._in_a_row += isinstance(fault, CallFailed) and fault.outcome is Outcome.failed
        if isinstance(fault, ServiceError) or self._in_a_row >= _FAILURES_IN_A_ROW:
            self.done.stopped = self.done.stopped or str(fault)
            stop.set()

    def _settle(self, stopped: bool) -> None:
        """Say why what is left was not asked."""
        self.done.stopped = self.done.stopped or self._summary.bound or (INTERRUPTED if stopped else None)
        if self._summary.elsewhere:
            self.done.why["another run is asking"] += self._summary.elsewhere

    def _key(self, document: Document) -> str:
        return key_of(self._labels[document.id])

    def _highest(self, document: Document) -> float:
        """US dollars that a reason can cost at most; what cannot be masked is not sent."""
        value = self._labels[document.id].value
        assert value is not None
        try:
            messages, _ = rationale_messages(self._task, self._endpoint, document.text, value)
        except MaskingFailed:
            return 0.0
        return self._endpoint.cost(tokens_at_most(messages), most_tokens(self._task))


def _billed(task: Task, endpoint: Endpoint, run: str, fault: CallFailed) -> Charge | None:
    tokens = (fault.prompt_tokens, fault.completion_tokens)
    if not any(tokens):
        return None
    return Charge(
        task=task.name,
        run=run,
        purpose=PURPOSE,
        model=endpoint.model,
        prompt_tokens=tokens[0],
        completion_tokens=tokens[1],
        cost_usd=endpoint.cost(*tokens),
    )
