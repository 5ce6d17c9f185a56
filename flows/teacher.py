"""The way from a step to the teacher: who it is, which documents wait for it, and what asking it would cost."""

import contextlib
import os

from pydantic import BaseModel

from flows.context import Context, find_task
from prompts.endpoint import Endpoint, priced, teacher_endpoint
from prompts.estimate import Estimate
from prompts.estimate import estimate as estimate_of
from prompts.render import prompt_fingerprint
from prompts.sources import Loaded, read_documents
from prompts.task import Task
from records import ledger, library
from records.errors import InputError
from records.types import Document, Outcome, Role, Split

_FAULTS_SHOWN = 20


def teacher_of(context: Context, task: Task) -> Endpoint:
    """The task's teacher, with its key from the environment."""
    return teacher_endpoint(task, context.settings.models, os.environ)


def waiting_for(context: Context, task: Task, ids: list[str] | None) -> list[Document]:
    """These documents, those without an answer first, and of them the test split: the gate needs it in any case."""
    found = library.documents(context.store, task.name)
    if ids is not None:
        wanted = set(ids)
        found = [document for document in found if document.id in wanted]
    answers = ledger.newest(
        context.store, task.name, Role.teacher, task.teacher.model, prompt_fingerprint(task, teaching=True)
    )
    answered = {i for i, answer in answers.items() if answer.outcome is not Outcome.failed}
    return sorted(found, key=lambda document: (document.id in answered, document.split is not Split.test))


class Preview(BaseModel):
    """What a run would ask, without a call: the prompt of the first document, and tokens and dollars for all."""

    documents: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    cost_usd_low: float | None
    cost_usd_high: float | None
    messages: list[dict[str, str]]
    faults: list[str] = []

    @property
    def text(self) -> str:
        """For people: the prompt as the teacher gets it, then the estimate."""
        turns = [f"[{message['role']}]\n{message['content']}" for message in self.messages]
        if not self.documents:
            return "\n\n".join([*turns, "No document yet: name some with --documents to see the cost."])
        cost = "unknown: give teacher.input_price and output_price in task.yaml"
        if self.cost_usd is not None:
            cost = f"${self.cost_usd:.4f} (between ${self.cost_usd_low:.4f} and ${self.cost_usd_high:.4f})"
        tokens = f"{self.prompt_tokens:,} tokens in, {self.completion_tokens:,} out"
        told = f"{self.documents} documents, about {tokens}. Estimated cost: {cost}. Nothing was asked."
        return "\n\n".join([*turns, told, *(f"unreadable: {fault}" for fault in self.faults)])


def preview(context: Context, task: str, documents: str = "", text_column: str = "", limit: int = 0) -> Preview:
    """The rendered prompt and the estimated cost; nothing is asked, stored or sent."""
    found = find_task(context, task)
    loaded = Loaded(documents=waiting_for(context, found, None))
    if documents:
        loaded = read_documents(documents, found.name, text_column or None, limit=limit or None)
    endpoint = teacher_of(context, found)
    with contextlib.suppress(InputError):  # an unknown price shows as such; labelling itself refuses to start
        endpoint = priced(endpoint)
    told: Estimate = estimate_of(found, loaded.documents[: limit or None], endpoint)
    faults = [f"{fault.place}: {fault.reason}" for fault in loaded.faults[:_FAULTS_SHOWN]]
    return Preview(faults=faults, **{name: getattr(told, name) for name in Preview.model_fields if name != "faults"})
