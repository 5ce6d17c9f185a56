"""Documents that are looked at a second time: disputes before a lead, and second readings. Nothing is overwritten.

A row of `second_looks` (grain: one per task, document and queue) is what was sent, and what people had said by then:

    SecondLook(task="legal_intake", document_id="41d0c7a2b6e95f13", queue="adjudication", reason="reviewers differ",
               said=["lease", "debt"], sent_at=...)

A row of `second_answers` (grain: one per task, document, queue, person and moment) is what one person answered there.
The newest answer in the queue `adjudication` is the *decision*, and it settles the document (`records.corrections`):
what a reviewer says later leaves it standing. Answers in the queue `reading` measure people; they settle nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from pydantic import Field

from records import label_names
from records.store import Store, row_of
from records.tables import desk_cursors, second_answers, second_looks
from records.types import Answer, Record, now


class Queue(StrEnum):
    """Where a document waits for its second look: before a lead, or before every reviewer."""

    adjudication = "adjudication"
    reading = "reading"


class SecondLook(Record):
    """One document that was sent. `said`: each answer that people had given, one a person, in the order of JSON."""

    task: str
    document_id: str
    queue: Queue
    reason: str
    said: list[Answer] = Field(default_factory=list)
    sent_at: datetime = Field(default_factory=now)


class SecondAnswer(Record):
    """What one person answered there. `value` is None where they discarded the document: it cannot be answered."""

    task: str
    document_id: str
    queue: Queue
    reviewer: str
    answered_at: datetime
    value: Answer | None
    discarded: bool = False


def record(store: Store, rows: Iterable[SecondLook]) -> None:
    """Remember what was sent; a document that is sent to a queue again takes its row's place."""
    with store.begin() as db:
        store.put_many(db, second_looks, [row_of(row) for row in rows])


def forget(store: Store, task: str, queue: Queue, ids: Sequence[str]) -> None:
    """These documents were taken back before anybody answered."""
    with store.begin() as db:
        for one in ids:
            mine = (second_looks.c.task == task) & (second_looks.c.queue == queue) & (second_looks.c.document_id == one)
            db.execute(sa.delete(second_looks).where(mine))


def sent(store: Store, task: str, queue: Queue) -> dict[str, SecondLook]:
    """What was sent to a queue, by document."""
    query = sa.select(second_looks).where(second_looks.c.task == task, second_looks.c.queue == queue)
    with store.read() as db:
        rows = [SecondLook.model_validate(dict(r._mapping)) for r in db.execute(query)]
    return {row.document_id: row for row in rows}


def save(store: Store, rows: Iterable[SecondAnswer]) -> int:
    """Keep answers; how many were new. One that says what its person said there before is not: its moment stands."""
    saved = 0
    for row in sorted(rows, key=lambda row: row.answered_at):
        before = [a for a in answers(store, row.task, row.queue, row.document_id) if a.reviewer == row.reviewer]
        if not before or (before[-1].value, before[-1].discarded) != (row.value, row.discarded):
            saved += store.add(second_answers, [row_of(row)])
    return saved


def answers(store: Store, task: str, queue: Queue, document_id: str | None = None) -> list[SecondAnswer]:
    """Every answer in a queue (to one document, if given), oldest first, by labels' names of today."""
    query = sa.select(second_answers).where(second_answers.c.task == task, second_answers.c.queue == queue)
    if document_id is not None:
        query = query.where(second_answers.c.document_id == document_id)
    with store.read() as db:
        names = label_names.today(db, task)
        rows = db.execute(query.order_by(second_answers.c.answered_at))
        found = [SecondAnswer.model_validate(dict(r._mapping)) for r in rows]
    return [row.model_copy(update={"value": label_names.named(row.value, names)}) for row in found]


def decisions(store: Store, task: str) -> dict[str, SecondAnswer]:
    """The newest answer of a lead to each document; one with a label that was split since decides nothing any more."""
    newest = {row.document_id: row for row in answers(store, task, Queue.adjudication)}
    with store.read() as db:
        split = label_names.split(label_names.today(db, task))
    return {i: row for i, row in newest.items() if not (isinstance(row.value, str) and row.value in split)}


def cursor(store: Store, board: str) -> datetime | None:
    """Up to where this board of the desk was read, by the desk's own clock; None: never."""
    query = sa.select(desk_cursors.c.cursor).where(desk_cursors.c.board == board)
    with store.read() as db:
        return db.execute(query).scalar()


def keep_cursor(store: Store, task: str, board: str, moment: datetime) -> None:
    """This board was read, and what was read is kept."""
    with store.begin() as db:
        store.put_one(db, desk_cursors, {"board": board, "task": task, "cursor": moment})
