"""The way from a step to the teacher: who it is, which documents are open, and what asking about them would cost."""

import contextlib
import os
from collections.abc import Sequence

from pydantic import BaseModel

from evaluation import wording
from flows.context import Context, find_task
from flows.examples import examples_of
from prompts.batch_choice import shape
from prompts.batch_lines import at_batch_price
from prompts.booking import open_of
from prompts.endpoint import Endpoint, priced, teacher_endpoint
from prompts.estimate import ASSUMED_LATENCY_S, SAMPLE, Estimate, estimate, rationale_cost
from prompts.pool import drafted
from prompts.privacy import check_source
from prompts.render import prompt_fingerprint
from prompts.sources import others_told, read_documents
from prompts.task import Task
from records import desk_log, ledger, library
from records.errors import InputError
from records.library import Stream
from records.types import Document, Role

_FAULTS_SHOWN = 20


def teacher_of(context: Context, task: Task) -> Endpoint:
    """The task's teacher, with its key from the environment."""
    return teacher_endpoint(task, context.settings.models, os.environ)


class Preview(BaseModel):
    """What a run would ask, without a call: the prompt of the first document; tokens, dollars and seconds for all.

    `rationales`: how many suggestions at most the teacher is asked to explain afterwards, for about `rationales_usd`.
    """

    documents: int
    prompt_tokens: int
    prompt_tokens_low: int
    prompt_tokens_high: int
    completion_tokens: int
    cost_usd: float | None
    cost_usd_low: float | None
    cost_usd_high: float | None
    seconds_low: float
    seconds_high: float
    messages: list[dict[str, str]]
    known: int = 0
    latency_measured: bool = False
    batch: bool = False
    faults: list[str] = []
    left_out: str = ""
    rationales: int = 0
    rationales_usd: float | None = None

    @property
    def text(self) -> str:
        """For people: the prompt as the teacher gets it, then the estimate."""
        turns = [f"[{message['role']}]\n{message['content']}" for message in self.messages]
        if not self.documents and not self.known:
            return "\n\n".join([*turns, "No document yet: name some with --documents to see the cost."])
        cost = "unknown: give teacher.input_price and output_price in task.yaml"
        if self.cost_usd is not None:
            cost = f"${self.cost_usd:.4f} (between ${self.cost_usd_low:.4f} and ${self.cost_usd_high:.4f})"
        if self.cost_usd_high == 0:
            cost = "none, by the price of this model"
        tokens = f"{self.prompt_tokens:,} tokens in, {self.completion_tokens:,} out"
        count = f"{self.documents} document{'' if self.documents == 1 else 's'}"
        told = f"{count}, about {tokens}. Estimated cost: {cost}. Time: {self._time}. Nothing was asked."
        told += f" {self.known} more answered already." if self.known else ""
        if not self.documents:
            told = f"Nothing is left to ask: the teacher answered {wording.count(self.known, 'document')} already."
        if self.rationales:
            price = (
                ", for an unknown price" if self.rationales_usd is None else f", for about ${self.rationales_usd:.4f}"
            )
            longer = " The time of that comes on top." if self.documents else ""
            told += f" Then it is asked why of up to {self.rationales} suggestions"
            told += f"{price if self.rationales_usd != 0 else ''}.{longer}"
        more = [self.left_out] if self.left_out else []
        return "\n\n".join([*turns, told, *more, *(f"unreadable: {fault}" for fault in self.faults)])

    @property
    def _time(self) -> str:
        if self.batch:
            return "up to a day, as a batch"
        basis = "as long as its answers took so far" if self.latency_measured else "if an answer takes 0.3 to 5 s"
        return f"between {_duration(self.seconds_low)} and {_duration(self.seconds_high)}, {basis}"


def preview(
    context: Context,
    task: str,
    documents: str = "",
    text_column: str = "",
    limit: int = 0,
    refresh_examples: bool = False,
    batch: bool = False,
    reviews: int = 0,
) -> Preview:
    """The rendered prompt and the estimated cost and time; nothing is asked, stored or sent. `batch`: at its price;
    `reviews`: how many documents people are sent at most (0: as in task.yaml).
    """
    found = find_task(context, task)
    endpoint = teacher_of(context, found)
    with contextlib.suppress(InputError):  # an unknown price shows as such; labelling itself refuses to start
        endpoint = priced(endpoint)
    live = endpoint
    if batch:
        shape(endpoint)
        endpoint = at_batch_price(endpoint, found.teacher.batch_price_ratio)
    if documents:
        check_source(found, documents)
        loaded = read_documents(documents, found.name, text_column or None, limit=limit or None, logs=found.logs)
        texts, faults = {d.id: d for d in loaded.documents}, [f"{f.place}: {f.reason}" for f in loaded.faults]
        ids, left_out = list(texts), others_told(loaded.left_out)
    else:
        ids, texts, faults, left_out = Stream(context.store, found.name).ids, {}, [], ""
    examples = examples_of(context, found, drafted(context.store, found) if refresh_examples else None)
    prompt = prompt_fingerprint(found, True, examples.pool if examples else None)
    open_ = open_of(context.store, found, endpoint, Role.teacher, ids, prompt=prompt)
    chosen = open_[: limit or None]
    sample = _sample(context, found, chosen or ids, texts)
    latency = ledger.latency_range(context.store, found.name, endpoint.model)
    told: Estimate = estimate(
        found, sample, endpoint, len(chosen), latency or ASSUMED_LATENCY_S, examples.by_words if examples else None
    )
    sent = desk_log.rounds(context.store, found.name)
    whys = min(sum(i not in sent for i in ids), reviews or found.review.max_per_round) if found.teacher.rationale else 0
    each = rationale_cost(found, sample, live) if whys else None
    return Preview(
        rationales=whys,
        rationales_usd=None if each is None else whys * each,
        known=len(ids) - len(open_),
        latency_measured=latency is not None,
        batch=batch,
        left_out=left_out,
        faults=faults[:_FAULTS_SHOWN],
        **{name: getattr(told, name) for name in Estimate.__dataclass_fields__},
    )


def _sample(context: Context, task: Task, ids: Sequence[str], texts: dict[str, Document]) -> list[Document]:
    """Every so-manieth of these documents: order says nothing about length, as a rule."""
    wanted = ids[:: max(1, len(ids) // SAMPLE)]
    found = texts or library.get(context.store, task.name, wanted)
    return [found[i] for i in wanted]


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
