"""A task's board kept up with its definition: moved when labels or fields change, and what is told beside documents.

Before a board moves, what people answered on it is brought home with its true moments, so that the history has them.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

from flows.context import Context
from prompts.task import ChoiceAnswer, Task
from records import corrections, label_names, library
from records.types import Document
from review import kept, links, moving, parts, readings
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
    for part in boards:
        name = parts.name(task.name, part)
        moving.finish(desk, name, became)
        if moving.is_due(desk, name, form):
            if part in (parts.MAIN, parts.TEST):
                _bring_home(context, desk, task, name)
            _move(context, desk, task, form, part, became)


def _move(context: Context, desk: Desk, task: Task, form: Form, part: str, became: Mapping[str, str | None]) -> None:
    name, people = parts.name(task.name, part), _people(task, part)
    void = {row.document_id for row in corrections.superseded(context.store, task.name)}
    beside = about(context, task, library.get(context.store, task.name, void).values())
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


def columns(task: Task) -> list[kept.Column]:
    """The kept columns, as the desk's metadata has them."""
    return [kept.Column(one.name, one.as_) for one in task.document.columns]


def about(context: Context, task: Task, documents: Iterable[Document]) -> dict[str, About]:
    """What is told beside each document: the file or the owner's name for it, kept columns, answers that are void."""
    before: dict[str, list[str]] = {}
    for row in corrections.superseded(context.store, task.name):
        said = f"{row.value}, by {row.reviewer}; this label was split since, so please choose again"
        before.setdefault(row.document_id, []).append(said)
    return {d.id: _told(task, d, tuple(before.get(d.id, ()))) for d in documents}


def about_unanswered(task: Task, documents: Iterable[Document]) -> dict[str, About]:
    """The same for boards where nobody is told what anybody answered before."""
    return {d.id: _told(task, d, ()) for d in documents}


def _told(task: Task, document: Document, before: tuple[str, ...]) -> About:
    read_from, path = _place(document)
    file = read_from if PurePath(read_from).name == path else f"{read_from}/{path}"
    folder = str(PurePath(file).parent) if path and file != read_from else read_from
    facts = {one.name: document.metadata[one.name] for one in columns(task) if one.name in document.metadata}
    return About(
        source=file if path else document.external_id or "",
        facts=facts,
        before=before,
        link=links.address(task.document.link, path, document.external_id),
        metadata=kept.values(columns(task), facts, folder),
    )


def _place(document: Document) -> tuple[str, str]:
    """What the document was read from; and where it is a file of its own, its path below that (or its name)."""
    name = document.external_id or ""
    if PurePath(name).suffix.lower() in _FILES and document.source.endswith(f"#{name}"):
        return document.source.removesuffix(f"#{name}"), name
    return document.source.rpartition("#")[0] or document.source, ""
