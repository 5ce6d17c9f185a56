"""What was sent to the review desk, and why. Grain: one row per task and document."""

from collections.abc import Iterable

import sqlalchemy as sa

from records.store import Store, row_of
from records.tables import desk_records as table
from records.types import DeskRecord


def record(store: Store, rows: Iterable[DeskRecord]) -> int:
    """Remember what was sent; a document that was sent before keeps its first row. How many were new."""
    return store.add(table, [row_of(r) for r in rows])


def sent(store: Store, task: str) -> dict[str, DeskRecord]:
    """All that was sent for a task, by document."""
    query = sa.select(table).where(table.c.task == task)
    with store.read() as db:
        rows = [DeskRecord.model_validate(dict(r._mapping)) for r in db.execute(query)]
    return {r.document_id: r for r in rows}
