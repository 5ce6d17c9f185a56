"""What a run writes down: its row with the prices it began at, its answers, its charges; and what is open to it."""

from collections.abc import Collection, Sequence

from prompts.definition import Task
from prompts.endpoint import Endpoint, priced
from prompts.fingerprint import answer_key
from prompts.footing import Footing
from prompts.pool import prompt_of
from prompts.reply import Reply
from prompts.supply import Terms
from records import ledger, runs
from records.runs import Charge, Run
from records.store import Store
from records.types import Label, Outcome, Role

_PAGE = 1_000


def begin_run(store: Store, task: Task, endpoint: Endpoint, role: Role, terms: Terms) -> Run:
    """A new run in the store, at the prices of the endpoint as they are now. Raises InputError for unknown prices."""
    known = priced(endpoint)
    run = Run(
        task=task.name,
        role=role,
        model=known.model,
        prompt=prompt_of(store, task, role),
        input_price=known.input_price or 0.0,
        output_price=known.output_price or 0.0,
        budget_usd=terms.bounds.run_usd,
    )
    return runs.begin(store, run)


def open_of(
    store: Store,
    task: Task,
    endpoint: Endpoint,
    role: Role,
    ids: Sequence[str],
    again: Collection[Outcome] = (Outcome.failed,),
    prompt: str | None = None,
) -> list[str]:
    """Which of these documents a run would ask about, in order. `prompt`: another fingerprint than the present one."""
    prompt = prompt or prompt_of(store, task, role)
    found: list[str] = []
    for start in range(0, len(ids), _PAGE):
        keys = {answer_key(task.name, prompt, endpoint, i): i for i in ids[start : start + _PAGE]}
        known = ledger.answered_keys(store, keys, again)
        found += [i for key, i in keys.items() if key not in known]
    return found


def label_of(task: str, endpoint: Endpoint, role: Role, prompt: str, run: str, document_id: str, reply: Reply) -> Label:
    """A reply as it is kept. `prompt`: its fingerprint."""
    return Label(
        key=answer_key(task, prompt, endpoint, document_id),
        task=task,
        document_id=document_id,
        role=role,
        model=endpoint.model,
        prompt=prompt,
        run=run,
        outcome=reply.outcome,
        value=reply.value,
        confidence=reply.confidence,
        scores=reply.scores,
        raw=reply.raw,
        error=reply.error,
        reason=reply.reason,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        cost_usd=reply.cost_usd,
        latency_s=reply.latency_s,
        samples=reply.samples,
    )


def footing_charge(task: Task, endpoint: Endpoint, run: str, found: Footing) -> Charge:
    """What it took to learn how an endpoint scores labels, and what it says of documents without content."""
    return Charge(
        task=task.name,
        run=run,
        purpose="footing",
        model=endpoint.model,
        prompt_tokens=found.prompt_tokens,
        completion_tokens=found.completion_tokens,
        cost_usd=endpoint.cost(found.prompt_tokens, found.completion_tokens),
    )
