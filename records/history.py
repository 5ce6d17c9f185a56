"""All that is known of one document, in the order in which it happened: the store read across its tables.

history.find(store, "legal_intake", "41d0")            by (the beginning of) its id, an id of its owner's, a text
history.edits(store, "legal_intake", document_id)      every answer of people, also those they changed later
history.suggestions(...), history.answers(...)         what the desk showed, what models said
"""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from pydantic import Field

from records import tables
from records.store import Store, row_of
from records.types import Answer, Correction, DeskRecord, Document, Label, Record, Request, now

_MOST = 20


class Shown(Record):
    """A suggestion that the desk showed beside a document after its first. Grain: one per task, document and moment.

    `model`: who made it, as the label names it; `score`: how sure it was, 0..1.
    """

    task: str
    document_id: str
    model: str
    value: Answer | None
    score: float | None = None
    shown_at: datetime = Field(default_factory=now)


def find(store: Store, task: str, wanted: str, limit: int = _MOST) -> list[Document]:
    """The documents that `wanted` names: by id, else by its owner's id, else by the beginning of the id, else by a
    piece of the text (upper and lower case alike); the first of these ways that finds any. The oldest first.
    """
    table = tables.documents
    ways = (
        table.c.id == wanted,
        table.c.external_id == wanted,
        table.c.id.startswith(wanted.lower(), autoescape=True),
        table.c.text.icontains(wanted, autoescape=True),
    )
    with store.read() as db:
        for way in ways:
            query = sa.select(table).where(table.c.task == task, way).order_by(table.c.created_at).limit(limit)
            found = [Document.model_validate(dict(row._mapping)) for row in db.execute(query)]
            if found:
                return found
    return []


def edits(store: Store, task: str, document_id: str) -> list[Correction]:
    """Every answer that people gave, oldest first, with the labels' names of then."""
    rows = _rows(store, tables.edits, task, document_id, tables.edits.c.answered_at)
    return [Correction.model_validate(row) for row in rows]


def answers(store: Store, task: str, document_id: str) -> list[Label]:
    """Every answer of a model in any role, oldest first."""
    rows = _rows(store, tables.labels, task, document_id, tables.labels.c.created_at)
    return [Label.model_validate(row) for row in rows]


def sent(store: Store, task: str, document_id: str) -> DeskRecord | None:
    """How it came to the desk; None where it never did."""
    rows = _rows(store, tables.desk_records, task, document_id, tables.desk_records.c.sent_at)
    return DeskRecord.model_validate(rows[0]) if rows else None


def suggestions(store: Store, task: str, document_id: str) -> list[Shown]:
    """What the desk showed beside it and since when, oldest first."""
    rows = _rows(store, tables.suggestions, task, document_id, tables.suggestions.c.shown_at)
    return [Shown.model_validate(row) for row in rows]


def shown(store: Store, task: str) -> dict[str, tuple[Answer | None, float | None]]:
    """What the desk shows now beside each document that was sent with a suggestion or may have one: answer, score.

    Not in it: documents that go without a suggestion on purpose, be it the test split or any other.
    """
    desk, newer = tables.desk_records, tables.suggestions
    unanswered = ("unreadable answer", "model refused")
    may = desk.c.blind.is_(False) & (desk.c.suggestion.is_not(None) | desk.c.reason.in_(unanswered))
    with store.read() as db:
        first = db.execute(sa.select(desk).where(desk.c.task == task, may))
        found = {row.document_id: (row.suggestion, row.score) for row in first}
        later = db.execute(sa.select(newer).where(newer.c.task == task).order_by(newer.c.shown_at))
        return found | {row.document_id: (row.value, row.score) for row in later}


def keep_shown(store: Store, rows: Iterable[Shown]) -> int:
    """Note what the desk shows from now on; how many were new."""
    return store.add(tables.suggestions, [row_of(row) for row in rows])


def requests(store: Store, document: Document) -> list[Request]:
    """The production requests that sent this very text, oldest first."""
    table = tables.requests
    columns = [c for c in table.c if c.name != "harvested"]
    query = sa.select(*columns).where(table.c.task == document.task, table.c.text == document.text)
    with store.read() as db:
        found = db.execute(query.order_by(table.c.created_at))
        return [Request.model_validate(dict(row._mapping)) for row in found]


def alike(store: Store, document: Document) -> list[str]:
    """The ids of its near-duplicates: they share its cluster, and so its split."""
    table = tables.documents
    mine = (table.c.task == document.task) & (table.c.cluster == document.cluster) & (table.c.id != document.id)
    with store.read() as db:
        return list(db.execute(sa.select(table.c.id).where(mine).order_by(table.c.created_at)).scalars())


def _rows(
    store: Store, table: sa.Table, task: str, document_id: str, order: sa.ColumnElement[object]
) -> list[dict[str, object]]:
    query = sa.select(table).where(table.c.task == task, table.c.document_id == document_id).order_by(order)
    with store.read() as db:
        return [dict(row._mapping) for row in db.execute(query)]
