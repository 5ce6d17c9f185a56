"""A task's board kept up with its definition: moved when labels or fields change, and what is told beside documents.

Before a board moves, what people answered on it is brought home with its true moments, so that the history has them.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

from flows.context import Context
from prompts.task import ChoiceAnswer, Task
from records import corrections, label_names, library
from records.types import Correction, Document
from review import moving, parts, readings
from review.about import About
from review.board import Board
from review.desk import Desk
from review.form import Form, choice_form
from review.guidelines import whole_guidelines

_FILES = {".pdf", ".docx", ".docm", ".txt", ".md"}


def label_descriptions(task: Task) -> dict[str, str]:
    """What each label means, for the guidelines; empty for json."""
    return {x.name: x.description for x in task.answer.labels} if isinstance(task.answer, ChoiceAnswer) else {}


def bring_up_to_date(
    context: Context,
    desk: Desk,
    task: Task,
    form: Form,
    boards: Sequence[str] = (parts.MAIN, parts.TEST, parts.READING),
) -> None:
    """Move the task's boards to today's labels or fields where they changed; end a move that was cut off."""
    with context.store.read() as db:
        became = label_names.today(db, task.name)
    there = desk.names()  # one look for all boards: most tasks have one
    for part in boards:
        name = parts.name(task.name, part)
        if there.isdisjoint(moving.names(name)):
            continue
        moving.finish(desk, name, became)
        if moving.is_due(desk, name, form):
            if part in (parts.MAIN, parts.TEST):
                _bring_home(context, desk, task, name)
            _move(context, desk, task, form, part, became)


def _move(context: Context, desk: Desk, task: Task, form: Form, part: str, became: Mapping[str, str | None]) -> None:
    name, people = parts.name(task.name, part), _people(task, part)
    void = corrections.superseded(context.store, task.name)
    waiting = library.get(context.store, task.name, {row.document_id for row in void})
    beside = _told(task, waiting.values(), void)
    text = whole_guidelines(parts.guidelines(part, task.guidelines, people), label_descriptions(task))
    moving.copy(desk, name, form, became, text, people, beside, context.progress, parts.above(part))
    moving.finish(desk, name, became, beside)


def _people(task: Task, part: str) -> int:
    """How many people answer each document of a board."""
    several = {parts.TEST: task.review.for_test, parts.READING: readings.EVERYBODY, parts.ADJUDICATION: 1}
    return several.get(part, task.review.reviewers_per_document)


def _bring_home(context: Context, desk: Desk, task: Task, name: str) -> None:
    """Keep what was answered under the labels of before. Objects come home from the new board: they fit it or wait."""
    dataset = desk.dataset(name)
    if dataset is None or not isinstance(task.answer, ChoiceAnswer):
        return
    [question, *_] = Board(desk, task.name, choice_form({"a": "", "b": ""}), dataset["id"]).questions
    options = {option["value"]: option["text"] for option in question["settings"].get("options", ())}
    if len(options) > 1:
        old = Board(desk, task.name, choice_form(options), dataset["id"])
        corrections.save(context.store, old.fetch(progress=context.progress).corrections)


def about(context: Context, task: Task, documents: Iterable[Document]) -> dict[str, About]:
    """What is told beside each document: the file or the owner's name for it, kept columns, answers that are void."""
    return _told(task, documents, corrections.superseded(context.store, task.name))


def _told(task: Task, documents: Iterable[Document], void: Iterable[Correction]) -> dict[str, About]:
    before: dict[str, list[str]] = {}
    for row in void:
        said = f"{row.value}, by {row.reviewer}; this label was split since, so please choose again"
        before.setdefault(row.document_id, []).append(said)
    return {d.id: About(_source(d), _facts(task, d), tuple(before.get(d.id, ()))) for d in documents}


def _source(document: Document) -> str:
    """The path of a file that holds this document alone, else what its owner calls it, if anything."""
    base, _, place = document.source.rpartition("#")
    if PurePath(base).suffix.lower() in _FILES:
        return base
    return f"{base}/{place}" if PurePath(place).suffix.lower() in _FILES else document.external_id or ""


def _facts(task: Task, document: Document) -> dict[str, str | int | float]:
    return {name: document.metadata[name] for name in task.document.keep if name in document.metadata}
