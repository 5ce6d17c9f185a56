"""Documents arrive: a source is read into the store, in chunks, so that its size is bounded by the disk alone.

A log's answers are kept as labels beside their documents, where the task asks for it (`logs.answers_as_labels`).

    arrived = read_source(context, task, "mails.jsonl")
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, Field

from flows.context import Context
from prompts.logs import logged_label
from prompts.privacy import check_source
from prompts.rows import Fault
from prompts.sources import Counts, Taken, others_told, stream_documents
from prompts.task import Task
from records import ledger, library

CHUNK = 1_000
_FAULTS_SHOWN = 20


class Arrived(BaseModel):
    """What a source brought. `near`: of the new ones, those nearly like another; `faults`: place and reason of the
    first documents that could not be read; `left_out`: files and rows of other kinds, by kind; `absent`: columns that
    the task keeps and no document has, perhaps as a name is misspelt.
    """

    added: int = 0
    known: int = 0
    duplicates: int = 0
    near: int = 0
    unreadable: int = 0
    faults: list[str] = []
    left_out: dict[str, int] = {}
    logged: int = 0
    absent: list[str] = []
    ids: list[str] = Field(default=[], exclude=True)

    @property
    def text(self) -> str:
        """For people: one line."""
        told = f"{self.added} new, {self.known} known, {self.duplicates} duplicates, {self.unreadable} unreadable"
        told += f"; {self.near} near-duplicates" if self.near else ""
        told += f"; {self.logged} answers from the log" if self.logged else ""
        told += f"; none has {', '.join(map(repr, self.absent))}, which document.keep names" if self.absent else ""
        others = others_told(self.left_out)
        return f"{told}; {others}" if others else told


def read_source(context: Context, task: Task, source: str, text_column: str = "") -> Arrived:
    """Take the documents of a source into the store. Raises InputError when none of it can be read."""
    check_source(task, source)
    arrived, counts = Arrived(), Counts()
    kept = [column.name for column in task.document.columns]
    absent = dict.fromkeys([] if Path(source).is_dir() else kept)  # files have no columns
    stream = stream_documents(source, task.name, text_column or None, keep=kept, logs=task.logs, counts=counts)
    for chunk in _chunks(stream, arrived.faults):
        added = library.add(context.store, [taken.document for taken in chunk])
        arrived.added, arrived.known = arrived.added + added.added, arrived.known + added.known
        arrived.near += added.near
        for taken in chunk:
            absent = {name: None for name in absent if name not in taken.document.metadata}
        arrived.ids += [taken.document.id for taken in chunk]
        arrived.logged += _keep_answers(context, task, chunk)
        context.progress("reading", counts.documents, 0, f"{counts.unreadable} unreadable")
    arrived.duplicates, arrived.unreadable = counts.duplicates, counts.unreadable
    arrived.absent = list(absent)
    arrived.left_out = dict(counts.left_out.most_common())
    context.progress("reading", counts.documents, counts.documents, f"{counts.unreadable} unreadable")
    return arrived


def _chunks(stream: Iterator[Taken | Fault], faults: list[str]) -> Iterator[list[Taken]]:
    """The documents by the thousand; the first faults go to `faults`."""
    chunk: list[Taken] = []
    for found in stream:
        if isinstance(found, Taken):
            chunk.append(found)
        elif len(faults) < _FAULTS_SHOWN:
            faults.append(f"{found.place}: {found.reason}")
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _keep_answers(context: Context, task: Task, chunk: list[Taken]) -> int:
    if task.logs is None or not task.logs.answers_as_labels:
        return 0
    found = [logged_label(task, taken.document, taken.logged) for taken in chunk if taken.logged]
    return ledger.add(context.store, [label for label in found if label])
