"""One repair attempt: an answer that cannot be read goes back to the model with the reason, once.

    [system] [user: document] [assistant: what it said] [user: That cannot be read as an answer: not a label ...]

Reading stays strict; it is the model that mends its answer, not we. The second answer is read as the first was. Tokens,
cost and latency of both are in the one label, and both texts in its `samples`. An empty answer has nothing to send
back, and a refusal is respected: neither is repaired. If the second call fails, the first answer stands, `unreadable`.

Repair is no part of an answer's key: it changes no answer that could be read, so switching it asks nothing again.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

from prompts.call import CallFailed
from prompts.definition import ChoiceAnswer, Task
from prompts.render import Messages
from prompts.reply import Reply
from records.errors import ServiceError
from records.types import Outcome

OPENING = "That cannot be read as an answer"
_REASON = 300
_SENT_BACK = 4_000
"""Characters of the model's own answer: what is longer is cut, the reason says what is wrong."""


async def repaired(
    task: Task, messages: Messages, first: Reply, again: Callable[[Messages], Awaitable[Reply]]
) -> Reply:
    """The reply after one more try, where `first` was said but could not be read; else `first`.

    `again`: asks these messages and reads the answer.
    """
    if first.outcome is not Outcome.unreadable or not (first.raw or "").strip():
        return first
    try:
        second = await again([*messages, *repair_turns(task, first.raw or "", first.error or "")])
    except (CallFailed, ServiceError) as fault:  # what was paid for must be kept; the next document tells of the fault
        return replace(first, error=f"{first.error} (its repair failed: {fault})")
    return replace(
        second,
        samples=[first.raw or "", second.raw or ""],
        prompt_tokens=first.prompt_tokens + second.prompt_tokens,
        completion_tokens=first.completion_tokens + second.completion_tokens,
        cost_usd=first.cost_usd + second.cost_usd,
        latency_s=first.latency_s + second.latency_s,
    )


def repair_turns(task: Task, said: str, reason: str) -> Messages:
    """What is added to the messages: the model's own answer, and what is wrong with it."""
    if isinstance(task.answer, ChoiceAnswer):
        wanted = f"Answer with one of these and nothing else: {', '.join(task.said.values())}"
    else:
        schema = json.dumps(task.answer.schema_, ensure_ascii=False, sort_keys=True)
        wanted = f"Answer with one JSON object that fits this schema, and nothing else:\n{schema}"
    complaint = {"role": "user", "content": f"{OPENING}: {reason[:_REASON]}. {wanted}"}
    return [{"role": "assistant", "content": said[:_SENT_BACK]}, complaint]


def most_tokens(task: Task) -> int:
    """How many tokens a repair adds to the prompt at most, besides the answer: a token has two bytes, on the whole."""
    words = repair_turns(task, "", "?" * _REASON)[-1]["content"]
    return len(words.encode()) // 2 + 16


def is_repair(messages: Messages) -> bool:
    """Whether these messages ask for a repair: then the document stands two turns before the last."""
    return messages[-1]["content"].startswith(f"{OPENING}: ")
