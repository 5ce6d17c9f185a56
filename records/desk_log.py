"""What was sent to the review desk, and why. Grain: one row per task and document."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from records.store import Store, row_of
from records.tables import desk_records as table
from records.types import DeskRecord


def record(store: Store, rows: Iterable[DeskRecord]) -> int:
    """Remember what was sent; a document that was sent before keeps its first row. How many were new."""
    return store.add(table, [row_of(r) for r in rows])


def rounds(store: Store, task: str) -> dict[str, int]:
    """In which round each document was sent: of a task with a million documents, no more than that is held."""
    query = sa.select(table.c.document_id, table.c.round).where(table.c.task == task)
    with store.read() as db:
        return {i: number for i, number in db.execute(query)}


def began(store: Store, task: str) -> list[datetime]:
    """When the first document of each round was sent, the oldest round first."""
    query = sa.select(sa.func.min(table.c.sent_at)).where(table.c.task == task).group_by(table.c.round)
    with store.read() as db:
        return sorted(db.execute(query).scalars())


def sent(store: Store, task: str) -> dict[str, DeskRecord]:
    """All that was sent for a task, by document."""
    query = sa.select(table).where(table.c.task == task)
    with store.read() as db:
        rows = [DeskRecord.model_validate(dict(r._mapping)) for r in db.execute(query)]
    return {r.document_id: r for r in rows}
