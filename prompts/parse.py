"""What a model said becomes a value, or is unreadable. Strict: no guessing, no searching for a label in a sentence.

A choice must be one label (its `answer` or its name; case, outer quotes and a full stop do not count). JSON must be
one object that fits the schema, `format: date` included; a code fence around it is taken off. Anything else is
`unreadable`, with the reason.
"""

import json
import re
from typing import Any, NamedTuple

from prompts.definition import ChoiceAnswer, Task
from prompts.redaction import Masked
from records.types import Answer, Outcome, Reason

_FENCE = re.compile(r"^```(?:json)?\s*\n(.*)\n```$", re.DOTALL)
_SHOWN = 80


class Parsed(NamedTuple):
    """`answered` with a value, or `unreadable` with the word for why and the sentence."""

    outcome: Outcome
    value: Answer | None
    error: str | None
    reason: Reason | None = None


def parse(task: Task, text: str) -> Parsed:
    """Read a model's answer."""
    if not text.strip():
        return _unreadable(Reason.empty, "the answer is empty")
    return _choice(task, text) if isinstance(task.answer, ChoiceAnswer) else _object(task.answer.schema_, text)


def parse_masked(task: Task, text: str, masked: Masked) -> Parsed:
    """Read an answer with its placeholders turned back into the document's words.

    What is wrong with it is told in the words that the model saw: reasons go into logs and onto pages.
    """
    found = parse(task, masked.restore(text))
    if found.error is None or not masked.originals:
        return found
    seen = parse(task, text)
    error = seen.error or "no answer any more once its placeholders are turned back"
    return _unreadable(seen.reason or found.reason or Reason.not_schema, error)


def _choice(task: Task, text: str) -> Parsed:
    said = text.strip().strip("`\"'*").rstrip(".").strip().casefold()
    for name, answer in task.said.items():
        if said == answer.casefold():
            return Parsed(Outcome.answered, name, None)
    if said in {name.casefold() for name in task.labels}:
        return Parsed(Outcome.answered, next(n for n in task.labels if n.casefold() == said), None)
    return _unreadable(Reason.not_a_label, f"not a label: {text.strip()[:_SHOWN]!r}")


def _object(schema: dict[str, Any], text: str) -> Parsed:
    from jsonschema import Draft202012Validator, FormatChecker

    body = text.strip()
    fenced = _FENCE.match(body)
    try:
        value = json.loads(fenced.group(1) if fenced else body, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as fault:
        return _unreadable(Reason.not_json, f"not JSON: {fault}")
    held = Draft202012Validator(schema, format_checker=FormatChecker(["date"]))
    misfit = next(iter(held.iter_errors(value)), None)
    if misfit is not None:
        where = ".".join(map(str, misfit.path)) or "answer"
        return _unreadable(Reason.not_schema, f"{where}: {misfit.message[:200]}")
    return Parsed(Outcome.answered, value, None)


def _unreadable(reason: Reason, error: str) -> Parsed:
    return Parsed(Outcome.unreadable, None, error, reason)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
