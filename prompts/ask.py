"""Ask one model about one document: the answer with its confidence, or one honest outcome of why there is none.

    answered     a value, with a confidence where the endpoint gives log-probabilities
    unreadable   the model said something that is no answer to this task
    refused      the model or its provider declined
    failed       no answer came, after retries; asked again on the next run

Every reply without a value has a reason of its own (`records.types.Reason`).

For labels the answer is scored where that is possible: one forward pass, `max_tokens=1`, compared over the labels.
Otherwise it is generated, held to the labels or the schema wherever the endpoint can do that (`prompts.constrain`),
and parsed strictly. A teacher may be asked several times (`prompts.consistency`), and what it said unreadably goes
back to it once (`prompts.repair`); a student is asked as the gateway asks it, once.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from prompts.call import CallFailed, Spoken, call
from prompts.consistency import ask_often
from prompts.constrain import generate_options, said_plainly
from prompts.definition import Example, Task
from prompts.endpoint import Endpoint
from prompts.footing import Footing, footing, score_options
from prompts.parse import parse_masked
from prompts.redaction import Masked, MaskingFailed, outgoing, outgoing_example, outgoing_task
from prompts.render import Messages, render
from prompts.repair import repaired
from prompts.reply import Reply
from prompts.scoring import Scored, choose, score_labels
from records.types import Outcome, Reason

Choose = Callable[[str], Awaitable[Sequence[Example]]]
"""Gives the examples of a text; raises CallFailed where it cannot (`prompts.pool.Chooser`)."""


async def ask(
    endpoint: Endpoint,
    task: Task,
    text: str,
    teaching: bool,
    on_pushback: Callable[[float], None] | None = None,
    choose: Choose | None = None,
) -> Reply:
    """Ask about one text. `teaching`: with the teacher's turns (the teacher), or without (student, base).
    `on_pushback` is told the seconds to wait whenever the server has too much to do.
    `choose` gives the examples that the teacher is shown with this text; None: the task's own.

    Raises ServiceError when no document could be answered (wrong key, no such model), InputError when the task's
    labels cannot be scored apart.
    """
    try:
        examples = await choose(text) if choose and teaching else None
        found = await footing(endpoint, task, teaching)
        messages, masked = messages_for(endpoint, task, text, teaching, examples)
        if found.mode == "score":
            spoken = await call(endpoint, messages, score_options(endpoint), on_pushback)
            return read_reply(endpoint, task, spoken, found, masked)

        async def once(turns: Messages, **more: Any) -> Reply:
            options = {**generate_options(endpoint, task), **more}
            return read_reply(endpoint, task, await call(endpoint, turns, options, on_pushback), found, masked)

        return await _generated(endpoint, task, messages, once, teaching)
    except CallFailed as failure:
        return _failed(endpoint, failure)
    except MaskingFailed as failure:
        return Reply(Outcome.failed, error=str(failure), reason=Reason.bad_request)


def messages_for(
    endpoint: Endpoint, task: Task, text: str, teaching: bool, examples: Sequence[Example] | None = None
) -> tuple[Messages, Masked]:
    """What is sent of a text to this endpoint, live or in a batch, and what was masked in it. Raises MaskingFailed."""
    masked = outgoing(task, endpoint, text)
    shown = None if examples is None else [outgoing_example(task, endpoint, one) for one in examples]
    return render(outgoing_task(task, endpoint), masked.text, teaching, shown), masked


def options_of(endpoint: Endpoint, task: Task, found: Footing) -> dict[str, Any]:
    """The arguments of an asking on this footing, live or in a batch."""
    return score_options(endpoint) if found.mode == "score" else generate_options(endpoint, task)


def _failed(endpoint: Endpoint, failure: CallFailed) -> Reply:
    billed = (failure.prompt_tokens, failure.completion_tokens)
    return Reply(
        failure.outcome,
        error=str(failure),
        reason=failure.reason,
        prompt_tokens=billed[0],
        completion_tokens=billed[1],
        cost_usd=endpoint.cost(*billed),
        unreachable=failure.unreachable,
    )


async def _generated(
    endpoint: Endpoint, task: Task, messages: Messages, once: Callable[..., Awaitable[Reply]], teaching: bool
) -> Reply:
    """A teacher's answer by all its samples, or mended; a student's as it is. `once` asks messages and reads."""
    if teaching and endpoint.sampled:
        return await ask_often(endpoint, task, lambda: once(messages, temperature=endpoint.sample_temperature))
    reply = await once(messages)
    return await repaired(task, messages, reply, once) if teaching and endpoint.repair else reply


def read_reply(endpoint: Endpoint, task: Task, spoken: Spoken, found: Footing, masked: Masked) -> Reply:
    """How an asking ended, from what the model said: the same reading for a live answer and one from a batch."""
    paid: dict[str, Any] = {
        "raw": spoken.text,
        "prompt_tokens": spoken.prompt_tokens,
        "completion_tokens": spoken.completion_tokens,
        "cost_usd": endpoint.cost(spoken.prompt_tokens, spoken.completion_tokens),
        "latency_s": spoken.latency_s,
    }
    if spoken.refusal:
        return Reply(Outcome.refused, error=spoken.refusal, reason=Reason.refusal, **paid)
    if spoken.finish == "content_filter":
        error = "stopped by the provider's content filter"
        return Reply(Outcome.refused, error=error, reason=Reason.content_filter, **paid)
    if found.mode == "score":
        return _scored(task, spoken, found, paid)
    parsed = parse_masked(task, said_plainly(task, spoken.text), masked)
    if parsed.error and spoken.finish == "length":
        return Reply(parsed.outcome, error=f"{parsed.error} (cut at max_tokens)", reason=Reason.cut, **paid)
    return Reply(parsed.outcome, value=parsed.value, error=parsed.error, reason=parsed.reason, **paid)


def _scored(task: Task, spoken: Spoken, found: Footing, paid: dict[str, Any]) -> Reply:
    if not spoken.first:
        error = "the endpoint gave no log-probabilities this time"
        return Reply(Outcome.unreadable, error=error, reason=Reason.undecided, **paid)
    scored = score_labels(spoken.first, task.said, found.first)
    undecided = _undecided(scored, len(spoken.first), spoken.first)
    if undecided:
        return Reply(Outcome.unreadable, scores=scored.scores, error=undecided, reason=Reason.undecided, **paid)
    value, confidence = choose(scored.scores, found.baseline)
    return Reply(Outcome.answered, value, confidence, scored.scores, **paid)


def _undecided(scored: Scored, count: int, first: Any) -> str | None:
    """Why the scores decide nothing, or None when they do."""
    if not scored.seen:
        return f"no label among the {count} likeliest first tokens"
    best = max(scored.scores.values())
    likely = dict(first)
    for token, names in scored.shared.items():
        if likely[token] > best and not scored.seen.issuperset(names):
            return f"the token {token!r} begins {', '.join(names)}; give these labels `answer:` codes"
    return None
