"""Production logs as a source: the document is cut out of the logged prompt, and the logged answer can be a label.

Read, entry by entry, in JSONL, JSON, CSV or Parquet, with nested values as objects or as JSON text:

    OpenAI-style chats        {"messages": [..., {"role": "assistant", ...}]}; {"request": {...}, "response": {...}}
    OpenAI's batch files      {"custom_id": ..., "body": {"messages": [...]}, "response": {"body": {...}}}
    stored completions        {"object": "chat.completion", "messages" or "input": [...], "choices": [...]}
    LiteLLM's spend logs      {"request_id": ..., "spend": ..., "messages" or "proxy_server_request", "response"}
    Langfuse                  observations of type GENERATION: input, output, model or provided_model_name

The document is the one group of `logs.pattern`, looked for in each message but the assistant's, the last first:
few-shot examples stand before what was asked. The pattern is the task's, the text is a stranger's: each search has a
time limit (the package `regex` has one, `re` has none).
"""

import hashlib
import json
from typing import Any, NamedTuple

from prompts.definition import Task
from prompts.document_rules import Logs
from prompts.parse import parse
from prompts.rows import LeftOut
from records.errors import InputError
from records.kindred import LOGGED
from records.types import Document, Label, Outcome, Role

SECONDS = 0.5
"""For one search. A pattern that is sound needs a thousandth of it."""
_MAX_CHARACTERS = 1_000_000
_MAX_TIMEOUTS = 20
_PROMPTS = ("messages", "request", "body", "input", "proxy_server_request")
_ANSWERS = ("response", "output", "completion")
_CUT_BY_LITELLM = "litellm_truncated"


class Logged(NamedTuple):
    """A document out of a log, and what was answered. `prompt`: 16 hex digits of the prompt without the document."""

    text: str
    id: str | None
    model: str
    prompt: str
    answer: str | None


class LogReader:
    """Reads log entries as one task's section `logs` says."""

    def __init__(self, logs: Logs) -> None:
        """`logs`: with a pattern that compiles and has one group, as `prompts.faults` saw to it."""
        import regex

        self._pattern, self._model = regex.compile(logs.pattern), logs.model
        self._timeouts = 0

    def read(self, entry: dict[str, Any]) -> Logged | LeftOut | str | None:
        """What an entry holds: a document; something that is none by its kind; why it cannot be read; None: no log.

        Raises InputError when the pattern took too long on twenty entries.
        """
        kind = _other_kind(entry)
        if kind:
            return LeftOut(kind)
        messages = _messages(entry)
        if not messages:
            return _why_no_messages(entry)
        model = str(entry.get("provided_model_name") or entry.get("model") or _of(entry, "model") or "unknown")
        if self._model and model != self._model:
            return LeftOut(f"answers of {model}")
        asked, said = _apart(messages)
        try:
            found = self._search(asked)
        except TimeoutError:
            return self._too_slow()
        if any(_CUT_BY_LITELLM in content for _, content in asked):
            return "LiteLLM cut it when it logged it (at 2,048 characters): set MAX_STRING_LENGTH_PROMPT_IN_DB there"
        if found is None:
            return "logs.pattern is in none of its messages"
        text, prompt = found
        own = entry.get("request_id") or entry.get("id") or entry.get("custom_id")
        return Logged(text, None if own is None else str(own), model, prompt, _answer(entry) or said)

    def _search(self, asked: list[tuple[str, str]]) -> tuple[str, str] | None:
        """The document, and the fingerprint of what stands around it."""
        for n in reversed(range(len(asked))):
            content = asked[n][1][:_MAX_CHARACTERS]
            found = self._pattern.search(content, timeout=SECONDS)
            if found and found.group(1) is not None:
                around = [*asked[:n], (asked[n][0], content[: found.start(1)], content[found.end(1) :])]
                return found.group(1), _digest([around, asked[n + 1 :]])
        return None

    def _too_slow(self) -> str:
        self._timeouts += 1
        if self._timeouts >= _MAX_TIMEOUTS:
            raise InputError(
                f"logs.pattern took more than {SECONDS:g} s on {self._timeouts} log entries: it backtracks. "
                "Make it simpler: no repetition within a repetition, one `.*` at most."
            )
        return f"logs.pattern takes more than {SECONDS:g} s on it"


def asked_of(entry: dict[str, Any]) -> str | LeftOut | None:
    """What an entry asked, as one text; something that is no chat by its kind; None where it is not logged in full."""
    kind = _other_kind(entry)
    if kind:
        return LeftOut(kind)
    messages = _messages(entry)
    text = "\n".join(f"{role}: {content}" for role, content in _apart(messages)[0]) if messages else ""
    return text if text and _CUT_BY_LITELLM not in text else None


def logged_label(task: Task, document: Document, logged: Logged) -> Label | None:
    """What a log says that a model answered, as a teacher's label without a confidence: it goes to review.

    Its model is `logged:MODEL`, so it is never taken for an answer to the task's own prompt. It costs nothing: what it
    cost was paid before, and is no part of the task's budget. None where the log holds no answer.
    """
    if logged.answer is None:
        return None
    read = parse(task, logged.answer)
    model = f"{LOGGED}{logged.model}"
    return Label(
        key=_digest([task.name, model, logged.prompt, document.id], 16),
        task=task.name,
        document_id=document.id,
        role=Role.teacher,
        model=model,
        prompt=logged.prompt,
        outcome=read.outcome,
        value=read.value,
        raw=logged.answer,
        error=read.error if read.outcome is Outcome.unreadable else None,
    )


def _other_kind(entry: dict[str, Any]) -> str | None:
    """The kind of a log entry that is no chat: a span of Langfuse, an embedding of LiteLLM."""
    kind = entry.get("type")
    if ("traceId" in entry or "trace_id" in entry) and isinstance(kind, str) and kind.upper() != "GENERATION":
        return f"Langfuse {kind.upper()}"
    call = entry.get("call_type")
    if "spend" in entry and isinstance(call, str) and call and not call.endswith(("completion", "responses")):
        return f"LiteLLM {call}"
    return None


def _why_no_messages(entry: dict[str, Any]) -> str | None:
    if "spend" in entry and "request_id" in entry:
        return "LiteLLM logged no prompt; set store_prompts_in_spend_logs: true there"
    if entry.get("object") == "chat.completion":
        return "a stored completion without its `messages`: fetch them from /chat/completions/ID/messages, put them in"
    if "traceId" in entry or "trace_id" in entry:
        return "Langfuse logged no input"
    return None


def _messages(entry: dict[str, Any]) -> list[dict[str, Any]]:
    from_langfuse = "traceId" in entry or "trace_id" in entry
    for name in _PROMPTS:
        value = _opened(entry.get(name))
        if isinstance(value, dict):
            value = _opened(value.get("messages") or value.get("input") or value.get("prompt"))
        if isinstance(value, str) and value and (from_langfuse or name == "request"):
            return [{"role": "user", "content": value}]
        if isinstance(value, list) and value and all(isinstance(m, dict) and "role" in m for m in value):
            return value
    return []


def _apart(messages: list[dict[str, Any]]) -> tuple[list[tuple[str, str]], str | None]:
    """What was asked, as (role, text), and the answer where the assistant has the last word."""
    texts = [(str(m["role"]), _text(m.get("content")) or "") for m in messages]
    said = texts[-1][1] if texts[-1][0] == "assistant" else None
    return [(role, text) for role, text in texts if role != "assistant"], said or None


def _answer(entry: dict[str, Any]) -> str | None:
    for value in (*(_opened(entry.get(name)) for name in _ANSWERS), entry):
        if isinstance(value, str) and value:
            return value
        if isinstance(value, list) and value:
            value = {"content": value[-1].get("content")} if isinstance(value[-1], dict) else {}
        if not isinstance(value, dict):
            continue
        choices = value.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        if choice.get("finish_reason") not in (None, "stop"):
            return None  # cut, or stopped by a filter: no answer
        message = choice.get("message")
        text = _text((message if isinstance(message, dict) else value).get("content")) or _text(value.get("output"))
        if text:
            return text
    return None


def _text(content: Any) -> str | None:
    """The text of a message: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts = [_text(part.get("text") or part.get("content")) for part in content if isinstance(part, dict)]
    return "\n".join(part for part in parts if part) or None


def _opened(value: Any) -> Any:
    """JSON text as what it stands for, the `body` of a request or response without its envelope."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return value
    return _opened(value["body"]) if isinstance(value, dict) and "body" in value else value


def _of(entry: dict[str, Any], name: str) -> Any:
    """A field of the response, else of the request."""
    values = (_opened(entry.get(part)) for part in ("response", "request", "body", "proxy_server_request"))
    return next((v[name] for v in values if isinstance(v, dict) and v.get(name)), None)


def _digest(parts: list[Any], size: int = 8) -> str:
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=size).hexdigest()
