"""Look after one batch at its provider: find it, see how it stands, and bring its answers home when it is done.

Answers are saved as they are downloaded, some at a time, each with the end of its claim in one transaction; so the
results of any size are read in bounded memory, and reading them twice changes nothing.
"""

from collections import Counter
from collections.abc import Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from prompts.ask import options_of, read_reply
from prompts.batch_choice import batch_provider
from prompts.batch_provider import Provider, Result, Standing, Unsure
from prompts.batch_summary import BatchSummary
from prompts.booking import label_of
from prompts.definition import Task
from prompts.endpoint import Endpoint
from prompts.footing import Footing
from prompts.redaction import Masked, outgoing
from prompts.reply import Reply
from records import batches, ledger, library
from records.batches import Batch, BatchState
from records.progress import Progress, silent
from records.store import Store
from records.types import Label, now

_AT_ONCE = 200
SETTLE_S = 60.0
"""Seconds after which a provider's list shows a batch for sure that was made before."""


async def collect(
    store: Store,
    batch: Batch,
    task: Task,
    endpoint: Endpoint,
    summary: BatchSummary,
    progress: Progress = silent,
    settle_s: float = SETTLE_S,
) -> None:
    """Take the batch one step on, as far as the provider is. `task`, `endpoint`: as they were when it was handed in.

    Raises ServiceError when the provider cannot be asked; what was saved until then is saved.
    """
    own = replace(
        endpoint,
        model=batch.model,
        api_base=batch.api_base,
        input_price=batch.input_price,
        output_price=batch.output_price,
    )
    found = Footing(**batch.footing)
    async with aclosing(batch_provider(own, options_of(own, task, found))) as provider:
        known = await _located(store, provider, batch, summary, settle_s)
        if known is not None:
            await _step(_Reading(store, task, own, found, summary), provider, known, progress)


async def _step(reading: "_Reading", provider: Provider, batch: Batch, progress: Progress) -> None:
    """See how the batch stands, and do what follows from it."""
    store, summary = reading.store, reading.summary
    standing = await provider.standing(str(batch.provider_id))
    batch = batches.save(store, batch.model_copy(update={"said": standing.said}))
    left = batches.open_keys(store, batch)
    progress("waiting for the batch", standing.done, batch.requests, standing.said)
    if standing.state == "working":
        summary.waiting += len(left)
        return
    if standing.state == "refused":
        why = standing.error or standing.said
        batches.end(store, batch, BatchState.refused, why)
        summary.refused_batches.append(f"{batch.requests} documents: {why}")
    else:
        await reading.bring_home(provider, batch, standing, left, progress)
    await _clear(provider, [*batch.files, *standing.files], summary)


async def _located(
    store: Store, provider: Provider, batch: Batch, summary: BatchSummary, settle_s: float
) -> Batch | None:
    """The batch with its name at the provider; None while that is not known, or when it never got there."""
    if batch.state is BatchState.waiting:
        return batch
    unsure = len(batches.open_keys(store, batch))
    summary.waiting += unsure
    summary.unsure += unsure
    if not batches.is_abandoned(batch):
        return None
    documents = batches.documents(store, batch.id)
    try:
        id_ = await provider.find(batch, set(documents), batches.provider_ids(store))
    except Unsure:
        return None
    if (
        id_ is None
        and batch.requests
        and now() - (batch.checked_at or batch.submitted_at) < timedelta(seconds=settle_s)
    ):
        return None
    summary.waiting -= unsure
    summary.unsure -= unsure
    if id_ is None:
        summary.reopened += documents.values()
        batches.end(store, batch, BatchState.lost, "it never reached the provider")
        await _clear(provider, batch.files, summary)
        return None
    return batches.save(store, batch.model_copy(update={"provider_id": id_, "state": BatchState.waiting}))


@dataclass
class _Reading:
    """Results become replies, replies labels."""

    store: Store
    task: Task
    endpoint: Endpoint
    found: Footing
    summary: BatchSummary

    async def bring_home(
        self, provider: Provider, batch: Batch, standing: Standing, left: set[str], progress: Progress
    ) -> None:
        """Save every result of a request that has none yet; then what is left is open again."""
        documents, counts = batches.documents(self.store, batch.id), Counter(batch.counts)
        waiting: list[Label] = []
        total = len(left)
        async for result in provider.results(str(batch.provider_id), standing):
            if result.key not in left or result.expired:
                continue
            left.discard(result.key)
            reply = self._reply(result, documents[result.key])
            counts[reply.outcome] += 1
            waiting.append(self._label(batch, result.key, documents[result.key], reply))
            if len(waiting) >= _AT_ONCE:
                waiting = self._settled(waiting)
                progress("collecting", total - len(left), total, self.summary.note)
        self._settled(waiting)
        self.summary.reopened += [documents[key] for key in left]
        counts["reopened"] = len(left)
        batches.end(self.store, batch.model_copy(update={"counts": dict(counts)}), BatchState.collected)

    def _settled(self, labels: list[Label]) -> list[Label]:
        ledger.save(self.store, labels)
        return []

    def _reply(self, result: Result, document_id: str) -> Reply:
        if result.spoken is None:
            reply = Reply(result.outcome, error=result.error, reason=result.reason)
        else:
            reply = read_reply(self.endpoint, self.task, result.spoken, self.found, self._masked(document_id))
        self.summary.count(reply)
        return reply

    def _masked(self, document_id: str) -> Masked:
        """What was masked in the document when it left: its placeholders in the answer stand for these words."""
        if not self.endpoint.masks:
            return Masked("")
        document = library.get(self.store, self.task.name, [document_id])[document_id]
        return outgoing(self.task, self.endpoint, document.text)

    def _label(self, batch: Batch, key: str, document_id: str, reply: Reply) -> Label:
        label = label_of(batch.task, self.endpoint, batch.role, batch.prompt, batch.run, document_id, reply)
        return label.model_copy(update={"key": key})


async def _clear(provider: Provider, files: Iterable[str], summary: BatchSummary) -> None:
    """Documents are confidential: what lies at the provider is deleted, and named where that failed."""
    for file in files:
        with suppress(Exception):
            await provider.clear([file])
            continue
        summary.left_behind.append(file)
