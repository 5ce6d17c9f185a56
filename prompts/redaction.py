"""Masking: what of a document is not seen by a teacher elsewhere. The original stays in the store, and on the desk.

    "Write to anna@example.com, not to bob@example.com, says anna@example.com."
    "Write to [EMAIL_1], not to [EMAIL_2], says [EMAIL_1]."

Masked are the documents: the one asked about, and those of the examples with what their json answers quote of them. The
instructions and the labels are the task's own words and go as they are. Which words a placeholder stands for is known
while the answer is awaited, and nowhere kept; placeholders in a json answer are turned back before it is read.

Patterns are run by `regex`, whose limit on time is the bound on patterns that backtrack without end: a document on
which one takes longer is not sent. The whole document is masked before it is cut, so no half match stays at the cut.

    masked = outgoing(task, endpoint, text)
    spoken = await call(endpoint, render(outgoing_task(task, endpoint), masked.text, teaching), options)
    parse(task, masked.restore(spoken.text))
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import regex

from prompts.definition import Example, Task
from prompts.document_rules import Redact
from prompts.endpoint import Endpoint
from records.types import Answer

LIMIT_S = 2.0
"""Seconds that one pattern may take on one document."""
_known: dict[str, Task] = {}


class MaskingFailed(Exception):
    """A document could not be masked, so it must not be sent; the message is kept with the label."""


class Span(NamedTuple):
    """Characters `start` to `end` of a text that are masked under a name; `mask`: a fixed text in their place."""

    start: int
    end: int
    name: str
    mask: str | None = None


@dataclass(frozen=True)
class Masked:
    """A text as it may leave. `originals`: {placeholder: the words it stands for}; never shown, never stored."""

    text: str
    originals: dict[str, str] = field(default_factory=dict, repr=False)

    def restore(self, said: str) -> str:
        """What a model said as JSON, with the words in place of their placeholders."""
        if not self.originals:
            return said
        found = re.compile("|".join(map(re.escape, self.originals)))
        return found.sub(lambda m: json.dumps(self.originals[m[0]], ensure_ascii=False)[1:-1], said)

    def restore_text(self, said: str) -> str:
        """The same of a sentence that a model said in plain words."""
        found = re.compile("|".join(map(re.escape, self.originals)))
        return found.sub(lambda m: self.originals[m[0]], said) if self.originals else said

    def hide(self, said: str) -> str:
        """The opposite, for what an example's answer quotes: placeholders in place of the words, the longest first."""
        for placeholder, words in sorted(self.originals.items(), key=lambda pair: -len(pair[1])):
            said = said.replace(words, placeholder)
        return said


def outgoing(task: Task, endpoint: Endpoint, text: str) -> Masked:
    """The text as it may be sent to this endpoint: masked where the task's rules act on it, else as it is.

    Raises MaskingFailed when a pattern takes too long, InputError when Presidio is asked for and not installed.
    """
    return mask(task, text) if endpoint.masks else Masked(text)


def outgoing_task(task: Task, endpoint: Endpoint) -> Task:
    """The task as it may be shown to this endpoint: its examples masked, each by itself, where the rules act."""
    return _masked_examples(task) if endpoint.masks else task


def outgoing_example(task: Task, endpoint: Endpoint, example: Example) -> Example:
    """An example as it may be shown to this endpoint; placeholders in a json answer are those of its document."""
    return _example(task, example) if endpoint.masks else example


def outgoing_answer(task: Task, endpoint: Endpoint, masked: Masked, answer: Answer) -> Answer:
    """An answer to a masked document as it may be shown to this endpoint: what it quotes is hidden. Labels are not."""
    shown: Answer = _hidden(task, masked, answer) if endpoint.masks and isinstance(answer, dict) else answer
    return shown


def mask(task: Task, text: str) -> Masked:
    """The text with everything masked that the task's rules find."""
    spans = [Span(*found, rule.name, rule.mask) for rule in task.redact for found in _matches(rule, text)]
    if task.presidio:
        from prompts.presidio_door import entities

        spans += [Span(start, end, name) for start, end, name in entities(text, tuple(task.presidio))]
    return _replaced(text, merged(spans))


def merged(spans: Iterable[Span]) -> list[Span]:
    """Spans that overlap become one, named as the longest of them: no remainder of a match is left to be read."""
    whole: list[tuple[Span, Span]] = []  # (what is covered, which span names it)
    for span in sorted(spans, key=lambda s: (s.start, -s.end)):
        if whole and span.start < whole[-1][0].end:
            covered, names = whole[-1]
            longer = span if span.end - span.start > names.end - names.start else names
            whole[-1] = (covered._replace(end=max(covered.end, span.end)), longer)
        else:
            whole.append((span, span))
    return [named._replace(start=covered.start, end=covered.end) for covered, named in whole]


def pattern_fault(pattern: str) -> str | None:
    """What is wrong with a pattern, or None: it must compile, and must not match the empty text."""
    try:
        compiled = regex.compile(pattern)
        return "matches the empty text" if compiled.search("", timeout=LIMIT_S) else None
    except (regex.error, TimeoutError, OverflowError) as fault:
        return str(fault)


def _matches(rule: Redact, text: str) -> list[tuple[int, int]]:
    try:
        found = regex.compile(rule.pattern).finditer(text, timeout=LIMIT_S)
        return [match.span() for match in found if match.end() > match.start()]
    except TimeoutError:
        raise MaskingFailed(
            f"not sent: the pattern {rule.name} of redact took more than {LIMIT_S:g} s on this document; simplify it"
        ) from None


def _replaced(text: str, spans: list[Span]) -> Masked:
    """Numbers run by name in the order of the text; one that the text itself holds as a placeholder is left out."""
    given: dict[tuple[str, str], str] = {}
    counts: dict[str, int] = {}
    parts, place = [], 0
    for span in spans:
        words = text[span.start : span.end]
        put = span.mask if span.mask is not None else given.get((span.name, words))
        if put is None:
            put = given[span.name, words] = _fresh(span.name, counts, text)
        parts += [text[place : span.start], put]
        place = span.end
    return Masked("".join([*parts, text[place:]]), {put: words for (_, words), put in given.items()})


def _fresh(name: str, counts: dict[str, int], text: str) -> str:
    while True:
        counts[name] = counts.get(name, 0) + 1
        placeholder = f"[{name}_{counts[name]}]"
        if placeholder not in text:
            return placeholder


def _example(task: Task, example: Example) -> Example:
    masked = mask(task, example.document)
    answer: Answer = example.answer if isinstance(example.answer, str) else _hidden(task, masked, example.answer)
    return Example(document=masked.text, answer=answer)


def _hidden(task: Task, masked: Masked, answer: Any) -> Any:
    """An example's json answer: the words of its document as their placeholders, and what else the rules find."""
    known = re.compile("(" + "|".join(map(re.escape, masked.originals)) + ")") if masked.originals else None

    def change(text: str) -> str:
        parts = known.split(masked.hide(text)) if known else [text]
        return "".join(part if part in masked.originals else mask(task, part).text for part in parts)

    return _each_text(answer, change)


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """The value with `change` made to each text in it, and to each number that is not the same afterwards."""
    if isinstance(value, dict):
        return {key: _each_text(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [_each_text(inner, change) for inner in value]
    if isinstance(value, bool) or value is None:
        return value
    changed = change(str(value))
    return value if changed == str(value) else changed


def _masked_examples(task: Task) -> Task:
    """Kept by the task's fingerprint: the examples of a task are the same for all of its documents."""
    key = task.fingerprint
    if key not in _known:
        shown = [_example(task, example) for example in task.examples]
        _known[key] = task.model_copy(update={"examples": shown})
    return _known[key]
