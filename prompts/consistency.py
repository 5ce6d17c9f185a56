"""Self-consistency: the same question several times at a temperature above 0; the share that agrees is the confidence.

Wang et al. 2022, "Self-Consistency Improves Chain of Thought Reasoning in Language Models" (arXiv 2203.11171), without
the reasoning. For endpoints that give no log-probabilities, and for objects, whose fields have none.

    choice   the label with most votes; confidence = its votes / samples asked for. A tie goes to the label that was
             said first: the confidence tells that it is thin, and a suggestion helps a person more than none.
    json     field by field the value with most votes. Confidence of the object = the least agreement of its fields:
             it is right only when every field is, so it is no surer than its weakest one (a mean of eight fields would
             hide one that is guessed), and one doubtful field is reason enough for a person to look.

A sample that cannot be read, was refused, or did not come is a vote for nothing: it stays in the denominator. So
several samples need no repair. The shares are kept (`Reply.scores`: by label, or by field), and every text
(`Reply.samples`), so that the vote can be taken again without asking.

Each sample is a call of its own, not `n=k`: Anthropic and llama.cpp's server do not take `n`. So the prompt is paid k
times.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from prompts.call import CallFailed
from prompts.definition import ChoiceAnswer, Task
from prompts.endpoint import Endpoint
from prompts.reply import Reply
from records.errors import ServiceError
from records.types import Answer, Outcome

_ABSENT = "absent"
"""Stands for a field that an object does not have; every other value is written as JSON, strings in quotes."""


class Vote(NamedTuple):
    """What most samples say. `scores`: shares in 0..1 by label, or by top-level field."""

    value: Answer
    confidence: float
    scores: dict[str, float]


async def ask_often(endpoint: Endpoint, task: Task, once: Callable[[], Awaitable[Reply]]) -> Reply:
    """Ask `endpoint.samples` times, `max_in_flight` of them at once, and let the answers vote.

    Raises what the first call raised when none came back; what did come back is paid for, and is kept.
    """
    room = asyncio.Semaphore(endpoint.max_in_flight)

    async def one() -> Reply:
        async with room:
            return await once()

    ended = await asyncio.gather(*(one() for _ in range(endpoint.samples)), return_exceptions=True)
    faults = [e for e in ended if isinstance(e, BaseException)]
    replies = [e for e in ended if not isinstance(e, BaseException)]
    for fault in faults:
        if not replies or not isinstance(fault, CallFailed | ServiceError):
            raise fault
    return combined(task, replies, endpoint.samples)


def combined(task: Task, replies: Sequence[Reply], asked: int) -> Reply:
    """One reply of several: the vote of those that answered, with the tokens and the cost of all.

    None answered: the first that was unreadable, else the first. `latency_s` is the slowest sample's.
    """
    values = [r.value for r in replies if r.outcome is Outcome.answered and r.value is not None]
    paid: dict[str, Any] = {
        "samples": [r.raw or "" for r in replies],
        "prompt_tokens": sum(r.prompt_tokens for r in replies),
        "completion_tokens": sum(r.completion_tokens for r in replies),
        "cost_usd": sum(r.cost_usd for r in replies),
        "latency_s": max(r.latency_s for r in replies),
    }
    if not values:
        said = [r for r in replies if r.outcome is Outcome.unreadable]
        return replace((said or list(replies))[0], **paid)
    won = vote(task, values, asked)
    raw = next((r.raw for r in replies if r.value == won.value), None)
    own: dict[str, Any] = {
        "value": won.value,
        "confidence": won.confidence,
        "scores": won.scores,
        "raw": raw,
        "error": None,
    }
    answered = next(r for r in replies if r.outcome is Outcome.answered)
    return replace(answered, **own, **paid)


def vote(task: Task, values: Sequence[Answer], asked: int) -> Vote:
    """The vote of at least one value, of `asked` samples."""
    if isinstance(task.answer, ChoiceAnswer):
        counts = Counter(str(value) for value in values)
        winner = counts.most_common(1)[0][0]  # of equal counts the one that was met first
        return Vote(winner, counts[winner] / asked, {name: counts[name] / asked for name in task.labels})
    objects = [value for value in values if isinstance(value, dict)]
    return _vote_by_field(task.answer.schema_, objects, asked)


def _vote_by_field(schema: dict[str, Any], objects: Sequence[dict[str, Any]], asked: int) -> Vote:
    names = list(dict.fromkeys(name for one in objects for name in one))
    votes = {name: Counter(_written(one, name) for one in objects) for name in names}
    best = {name: counts.most_common(1)[0][0] for name, counts in votes.items()}
    value = {name: json.loads(written) for name, written in best.items() if written != _ABSENT}
    if not _fits(schema, value):  # fields that exclude each other: then the object nearest to the majority, whole
        value = max(objects, key=lambda one: sum(_written(one, name) == best[name] for name in names))
    scores = {name: votes[name][_written(value, name)] / asked for name in names}
    return Vote(value, min(scores.values(), default=len(objects) / asked), scores)


def _written(one: dict[str, Any], name: str) -> str:
    """A field's value as text that is the same for equal values: keys in order, 1.0 as 1."""
    return json.dumps(_plain(one[name]), sort_keys=True, ensure_ascii=False) if name in one else _ABSENT


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _fits(schema: dict[str, Any], value: dict[str, Any]) -> bool:
    from jsonschema import Draft202012Validator

    return bool(Draft202012Validator(schema).is_valid(value))
