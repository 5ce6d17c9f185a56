"""Every measurement of a student's endpoint under load, and why it was made again where it was. None is overwritten.

    LoadMeasurement(id="load-9f2c...", task="mail", student_hash="ab12...", load=[{"in_flight": 1, ...}, ...],
                    measured_as="1, 4, 8 in flight, 12 s or 150 answers each, at 127.0.0.1:4201",
                    reason="A training ran beside it.", by="Ana")

Grain: one per measurement. The first one of a student needs no reason; the newest is the one that a verdict rests on,
and the verdict tells of all that were made before. `load`: one `evaluation.load.Load` a level, as plain data.
"""

import hashlib
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import Field

from records.errors import StoreError
from records.store import Store, row_of
from records.tables_gate import load_measurements as table
from records.types import Record, now


class LoadMeasurement(Record):
    """One measurement. `measured_as`: how and where, in words; `reason` and `by`: empty unless it was made again."""

    id: str
    task: str
    student_hash: str
    measured_as: str
    load: list[dict[str, Any]]
    reason: str = ""
    by: str = ""
    created_at: datetime = Field(default_factory=now)


def first_id(student_hash: str, measured_as: str) -> str:
    """What the first measurement of a student in this way is called: two processes that make it at once keep one."""
    return f"load-{hashlib.blake2b(f'{student_hash}{chr(10)}{measured_as}'.encode(), digest_size=8).hexdigest()}"


def keep(store: Store, new: LoadMeasurement) -> None:
    """Keep a measurement; what is kept stays. Raises StoreError for a further one without a reason and a name."""
    first = new.id == first_id(new.student_hash, new.measured_as)
    if not first and not (new.reason.strip() and new.by.strip()):
        raise StoreError("a measurement that is made again needs a reason, and the name of the person who wants it.")
    store.add(table, [row_of(new)])


def measured(store: Store, student_hash: str, measured_as: str | None = None) -> list[LoadMeasurement]:
    """All measurements of a student that were made in this way, oldest first; None: in any way."""
    query = sa.select(table).where(table.c.student_hash == student_hash).order_by(table.c.created_at)
    if measured_as is not None:
        query = query.where(table.c.measured_as == measured_as)
    with store.read() as db:
        return [LoadMeasurement.model_validate(dict(r._mapping)) for r in db.execute(query)]
