"""Why the teacher says what it says: a second question, after its answer, for the person who checks it.

    [system] [user: the labels] [user: document] [assistant: lease] [user: Say in one or two sentences why, ...]

A reason that is given afterwards is not what made the model answer so; it helps a person to find the words that
matter, and is wrong where the answer is. So it is asked for where people look only, shown as the teacher's own, and is
no part of the answer's prompt: switching `teacher.rationale` asks no answer anew. The examples are left out, which
would be paid for once more. What leaves is masked as the document was; placeholders in the reason are turned back.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from prompts.ask import messages_for
from prompts.call import call
from prompts.definition import Task
from prompts.endpoint import Endpoint
from prompts.redaction import Masked, outgoing_answer
from prompts.render import Messages, answer_text
from prompts.wire import Spoken
from records.types import Answer, Label

QUESTION = "Say in one or two sentences why, and quote the words of the document that decide."
_VERSION = 1
"""Raised when the question changes, so that a reason to another one is not taken for an answer to it."""
_TOKENS = 120
_LONGEST = 2_000


@dataclass(frozen=True)
class Reason:
    """What came back, and what it cost. `text`: None where the model gave none, `error` says why."""

    text: str | None
    error: str | None
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float


def key_of(label: Label) -> str:
    """32 hex digits: the same document, answer, prompt and model are one question, paid once."""
    parts = ["rationale", _VERSION, label.task, label.document_id, label.value, label.prompt, label.model]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()


def most_tokens(task: Task) -> int:
    """Tokens that a reason may have. A model that is given much room for its answers, to think first, has it here."""
    return max(_TOKENS, task.teacher.max_tokens or 0)


def rationale_messages(task: Task, endpoint: Endpoint, text: str, value: Answer) -> tuple[Messages, Masked]:
    """What is sent, and what was masked in it. Raises MaskingFailed."""
    asked, masked = messages_for(endpoint, task, text, True, [])
    said = answer_text(task, outgoing_answer(task, endpoint, masked, value))
    return [*asked, {"role": "assistant", "content": said}, {"role": "user", "content": QUESTION}], masked


def is_rationale(messages: Messages) -> bool:
    """Whether these messages ask for a reason: then the document stands two turns before the last."""
    return messages[-1]["content"] == QUESTION


async def ask_why(
    endpoint: Endpoint, task: Task, text: str, value: Answer, on_pushback: Callable[[float], None] | None = None
) -> Reason:
    """Ask once, with the retries of every call. Raises CallFailed, MaskingFailed, ServiceError as those do."""
    messages, masked = rationale_messages(task, endpoint, text, value)
    spoken = await call(endpoint, messages, {"max_tokens": most_tokens(task)}, on_pushback)
    said, error = _read(spoken, masked)
    paid = (spoken.prompt_tokens, spoken.completion_tokens)
    return Reason(said, error, *paid, endpoint.cost(*paid))


def _read(spoken: Spoken, masked: Masked) -> tuple[str | None, str | None]:
    """The reason, or why there is none."""
    if spoken.refusal or spoken.finish == "content_filter":
        return None, "the model or its provider declined"
    said = " ".join(spoken.text.split())
    if not said:
        cut = spoken.finish == "length"
        return None, "it was cut at max_tokens before it said anything" if cut else "the model said nothing"
    whole = masked.restore_text(said) + (" ..." if spoken.finish == "length" else "")
    return whole[:_LONGEST], None
