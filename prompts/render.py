"""The ONE render: a document becomes messages. What is trained, asked, gated and served are these same bytes.

    student:  [system: instructions] [user: document]
    teacher:  [system: instructions] (teaching turns) [user: document]

The teaching turns (a list of the labels with their descriptions, then one user/assistant pair per example) stand
between the two and change neither, so that a student learns to answer without them. They come first and never vary,
which lets a server keep them in its prefix cache. Where examples are chosen for each document (`prompts.retrieval`),
these vary, and stand after what does not.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from prompts.cut import cut_to_tokens
from prompts.definition import ChoiceAnswer, Example, Task
from prompts.privacy import check_hub
from prompts.tokenizer import PACKAGED, tokenizer_of
from records.types import Answer

Messages = list[dict[str, str]]
_VERSION = 1
"""Raised when the same task renders to other bytes, so that old answers are not taken for new ones."""
CHOICE_VERSION = 1
"""Raised when `prompts.retrieval` chooses other examples from the same pool by the same rules."""


def render(task: Task, text: str, teaching: bool = False, examples: Sequence[Example] | None = None) -> Messages:
    """The messages for a document; `teaching` puts the teacher's turns between instructions and document.

    `examples`: those chosen for this document; None: the task's own.
    """
    turns = teaching_turns(task, examples) if teaching else []
    return [_turn("system", task.instructions.strip()), *turns, _turn("user", document_text(task, text))]


def document_text(task: Task, text: str) -> str:
    """The document as it stands in the prompt: outer white space removed, and cut as `document` in the task says."""
    rules = task.document
    if rules.max_tokens is None:
        return text.strip()[: rules.max_characters]
    return cut_to_tokens(text.strip(), _counted_by(task), rules.max_tokens, rules.keep_tail)


def answer_text(task: Task, value: Answer) -> str:
    """What the assistant says for a value: the label's `answer`, or canonical JSON.

    Raises KeyError for a label that the task does not have.
    """
    if isinstance(value, str):
        return task.said[value]
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(", ", ": "))


def teaching_turns(task: Task, examples: Sequence[Example] | None = None) -> Messages:
    """The turns that only the teacher sees. `examples`: in place of the task's own."""
    turns: Messages = []
    if task.teacher.list_labels:
        turns += [_turn("user", _answers_explained(task)), _turn("assistant", "Understood.")]
    for example in task.examples if examples is None else examples:
        turns += [_turn("user", document_text(task, example.document))]
        turns += [_turn("assistant", answer_text(task, example.answer))]
    return turns


def prompt_fingerprint(task: Task, teaching: bool, pool: str | None = None) -> str:
    """16 hex digits of everything in the prompt but the document, and of how the answer is read.

    `pool`: the hash of the pool that examples are chosen from, None where they are the task's own: what is chosen
    follows from the pool, the rules of choosing and the document.
    """
    answer = task.said if isinstance(task.answer, ChoiceAnswer) else task.answer.schema_
    chosen = teaching and pool is not None and task.retrieval is not None
    fixed = render(task, "", teaching, [] if chosen else None)
    shape = [_VERSION, fixed, _cutting(task), task.answer.kind, answer]
    if chosen and task.retrieval is not None:
        rules = task.retrieval.model_dump(include={"count", "by", "per_label", "max_characters"})
        host = urlsplit(task.retrieval.api_base or "").hostname
        shape.append({"pool": pool, "choice": CHOICE_VERSION, "host": host, **rules})
    blob = json.dumps(shape, ensure_ascii=False, sort_keys=True)
    return hashlib.blake2b(blob.encode(), digest_size=8).hexdigest()


def _cutting(task: Task) -> int | list[str | int | float]:
    """How long documents are cut, for the fingerprint: a number of characters, or the whole rule in tokens."""
    rules = task.document
    if rules.max_tokens is None:
        return rules.max_characters
    return ["head and tail", rules.max_tokens, rules.keep_tail, tokenizer_of(_counted_by(task)).identity]


def _counted_by(task: Task) -> str:
    """The base model whose tokens are counted. Raises InputError for a hub's where the task's privacy forbids it."""
    base = task.student.base_model
    if base != PACKAGED and not Path(base).expanduser().is_dir():
        check_hub(task, f"the tokenizer of {base!r}")
    return base


def _answers_explained(task: Task) -> str:
    if not isinstance(task.answer, ChoiceAnswer):
        schema = json.dumps(task.answer.schema_, ensure_ascii=False, sort_keys=True)
        return f"Answer with one JSON object that fits this schema, and nothing else:\n{schema}"
    lines = [f"- {x.said}: {x.description}" if x.description else f"- {x.said}" for x in task.answer.labels]
    return "Answer with one of these and nothing else:\n" + "\n".join(lines)


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
