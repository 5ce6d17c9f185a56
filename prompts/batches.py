"""Ask a model through its provider's batch API: at half the price, within a day, over restarts.

Run it again and again (`retort label --batch`, or the deployment `batches`): it collects what is done and hands in what
is open. The answers are read as live ones are and stand under the same answer keys, so a document is paid for once,
whichever way. What may happen, and what then:

    kill -9 while handing in     the batch stands in the store, its requests are claimed; the next run looks for it at
                                 the provider, and takes it up, or opens its documents again if it never got there
    kill -9 while collecting     what was saved is saved; the next run downloads the results again and saves the rest
    a request fails or expires   its document is open again: in the next batch, or live
    the provider refuses all     one error; nothing was paid, the documents are open again
    the task is edited meanwhile its answers are read by the version that asked (`records.taskbook`)

    summary = BatchSummary()
    await collect(store, batch, task, endpoint, summary)          # for each of `records.batches.batches(store, name)`
    await hand_in(store, task, documents, endpoint, Role.teacher, summary)
"""

import itertools
import uuid
from collections.abc import Iterable
from contextlib import aclosing, closing
from dataclasses import replace

from prompts.ask import options_of
from prompts.batch_choice import batch_provider, shape
from prompts.batch_collect import collect
from prompts.batch_lines import Part, Parts, at_batch_price, open_documents
from prompts.batch_provider import Provider, Refused, Unsure
from prompts.batch_summary import BatchSummary
from prompts.booking import begin_run, footing_charge
from prompts.call import CallFailed
from prompts.definition import Task
from prompts.endpoint import Endpoint, priced
from prompts.footing import Footing, footing, is_known
from prompts.render import prompt_fingerprint
from prompts.supply import Terms
from records import batches, runs
from records.batches import Batch, BatchState
from records.errors import InputError, RetortError, ServiceError
from records.progress import Progress, silent
from records.store import Store
from records.types import Document, Role

__all__ = ["BatchSummary", "collect", "hand_in"]


async def hand_in(
    store: Store,
    task: Task,
    documents: Iterable[Document],
    endpoint: Endpoint,
    role: Role,
    summary: BatchSummary,
    terms: Terms | None = None,
    progress: Progress = silent,
) -> None:
    """Hand in all that is open, in as many batches as it takes, as a run at the batch prices of this moment.

    The bounds hold as for a live run: what waits in batches counts as in flight.
    Raises InputError (no batch API, unknown price, examples for each document) and ServiceError (refused, cut off);
    earlier batches stand.
    """
    shape(endpoint)
    _check_one_asking(task, endpoint)
    live, terms = priced(endpoint), _bounded(terms or Terms(), task, role)
    cheaper = at_batch_price(live, task.teacher.batch_price_ratio)
    open_ = open_documents(store, task, cheaper, role, documents, terms, summary)
    first = next(open_, None)
    if first is None:
        return
    run = begin_run(store, task, cheaper, role, terms).id
    found = await _footing(store, live, task, role, run, summary)
    async with aclosing(batch_provider(cheaper, options_of(cheaper, task, found))) as provider:

        def new_batch() -> Batch:
            batch = _batch(task, cheaper, role, found, run)
            batches.begin(store, batch)
            return batch

        parts = Parts(store, task, cheaper, role, provider, terms, summary, new_batch)
        with closing(parts.of(itertools.chain([first], open_))) as ready:
            for part in ready:
                await _hand_in(store, provider, part, summary)
                progress("handing in", summary.submitted, summary.seen, f"batch {summary.batches}")
    runs.end(store, run, summary.stopped)


def _check_one_asking(task: Task, endpoint: Endpoint) -> None:
    """A batch asks about each document once, with the same examples for all. Raises InputError for other tasks."""
    if endpoint.sampled:
        raise InputError(
            f"{task.name} asks for {endpoint.samples} samples (teacher.samples): label it without --batch."
        )
    if task.retrieval is not None:
        raise InputError(f"{task.name} chooses examples for each document (retrieval): label it without --batch.")


def _bounded(terms: Terms, task: Task, role: Role) -> Terms:
    """The terms, with the task's own budget for its teacher."""
    if role is not Role.teacher or terms.bounds.task_usd is not None:
        return terms
    return replace(terms, bounds=replace(terms.bounds, task_usd=task.teacher.budget_usd))


async def _footing(
    store: Store, endpoint: Endpoint, task: Task, role: Role, run: str, summary: BatchSummary
) -> Footing:
    """Asked live, and paid as such, where it must be asked at all: it decides what the requests are."""
    teaching = role is Role.teacher
    fresh = not is_known(endpoint, task, teaching)
    try:
        found = await footing(endpoint, task, teaching)
    except CallFailed as failure:
        where = endpoint.api_base or "its provider"
        raise ServiceError(f"{endpoint.model} at {where} does not answer: {failure}") from failure
    if fresh and found.prompt_tokens:
        charge = footing_charge(task, endpoint, run, found)
        runs.charge(store, charge)
        summary.pay(charge.prompt_tokens, charge.completion_tokens, charge.cost_usd)
    return found


def _batch(task: Task, endpoint: Endpoint, role: Role, found: Footing, run: str) -> Batch:
    return Batch(
        id=uuid.uuid4().hex,
        task=task.name,
        version=task.fingerprint,
        run=run,
        role=role,
        model=endpoint.model,
        prompt=prompt_fingerprint(task, role is Role.teacher),
        api_base=endpoint.api_base,
        footing={"mode": found.mode, "first": found.first, "baseline": found.baseline},
        input_price=endpoint.input_price or 0.0,
        output_price=endpoint.output_price or 0.0,
        owner=batches.process_name(),
    )


async def _hand_in(store: Store, provider: Provider, part: Part, summary: BatchSummary) -> None:
    """Write it down, hand it in, write down its name there. In this order, so that a kill in between can be mended."""
    if not part.documents:
        batches.end(store, part.batch, BatchState.lost, "nothing was open for it")
        return
    batch = batches.fill(store, part.batch, part.documents)
    try:
        file = await provider.upload(batch.id, part.path)
        batch = batches.save(store, batch.model_copy(update={"files": [file] if file else []}))
        id_ = await provider.create(batch.id, file, part.path)
    except (Refused, RetortError) as fault:
        batches.end(store, batch, BatchState.refused, str(fault))
        raise refusal(batch, str(fault)) if isinstance(fault, Refused) else fault from fault
    except BaseException as fault:  # it may have been made: whoever comes next is to look for it, and need not wait
        batches.save(store, batch.model_copy(update={"owner": ""}))
        raise _unsure(batch, fault) if isinstance(fault, Unsure) else fault from fault
    batches.save(store, batch.model_copy(update={"provider_id": id_, "state": BatchState.waiting}))
    summary.submitted += batch.requests
    summary.waiting += batch.requests
    summary.batches += 1


def refusal(batch: Batch, why: str) -> ServiceError:
    """The error for a batch that the provider did not take as a whole."""
    return ServiceError(
        f"{batch.model}: the provider refused a batch of {batch.requests} documents: {why[:500]}. Nothing was paid for "
        "it, and its documents are open again: correct the cause, then label again, with --batch or without."
    )


def _unsure(batch: Batch, fault: BaseException) -> ServiceError:
    return ServiceError(
        f"{batch.model}: the connection broke while {batch.requests} documents were handed in ({fault}). Whether "
        "the batch was made will be found out by the next run, before any of them is asked again."
    )
