"""What logs said of a task, and what was advised of it, so that a change of the answer can be told.

Grain of both tables: one row per task and moment. One real row of `advices`:

    Advised(task="legal_intake", made_at=..., recommendation="distil", sentence="Distil: label with ...",
            answers={"money": {"machine_price": 0.11}}, advice={...}, report_path=".retort/reports/...")
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import Field

from records.store import Store, row_of
from records.tables import advices, measurements
from records.types import Record, now


class Reading(Record):
    """What one reading of logs said of a task."""

    task: str
    made_at: datetime = Field(default_factory=now)
    source: str
    measured: dict[str, Any]


class Advised(Record):
    """One answer, with what a person had said (`answers`), and where its page lies."""

    task: str
    made_at: datetime = Field(default_factory=now)
    recommendation: str
    sentence: str
    answers: dict[str, Any]
    advice: dict[str, Any]
    report_path: str | None = None


def keep_reading(store: Store, reading: Reading) -> None:
    """Keep what logs said."""
    store.add(measurements, [row_of(reading)])


def newest_reading(store: Store, task: str) -> Reading | None:
    """What the newest reading of logs said of a task."""
    query = _newest(measurements, task)
    with store.read() as db:
        found = db.execute(query).first()
    return Reading.model_validate(dict(found._mapping)) if found else None


def keep_advice(store: Store, advised: Advised) -> None:
    """Keep an answer."""
    store.add(advices, [row_of(advised)])


def newest_advice(store: Store, task: str) -> Advised | None:
    """The newest answer to a task."""
    query = _newest(advices, task)
    with store.read() as db:
        found = db.execute(query).first()
    return Advised.model_validate(dict(found._mapping)) if found else None


def advised_tasks(store: Store) -> list[str]:
    """All tasks that were ever advised on, sorted."""
    with store.read() as db:
        return sorted(set(db.execute(sa.select(advices.c.task)).scalars()))


def _newest(table: sa.Table, task: str) -> sa.Select[Any]:
    return sa.select(table).where(table.c.task == task).order_by(table.c.made_at.desc()).limit(1)
