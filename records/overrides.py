"""What people decide against a verdict: a student goes live all the same, and who said so, when and why is kept.

    Override(id="override-9f2c...", task="mail", verdict_id="mail-3f9c01d2a4b7", student_hash="ab12...", by="Ana",
             reason="The test set is small; we watch it for a week.")

The verdict stays what it is, and a release goes on naming it (invariant 4). `records.registry` keeps an override in the
transaction that moves the live pointer.
"""

from datetime import datetime

import sqlalchemy as sa
from pydantic import Field

from records.errors import NotApproved
from records.store import Store, row_of
from records.tables_gate import overrides as table
from records.types import Record, Release, now


class Override(Record):
    """A person's decision that a student goes live although its verdict does not approve. Grain: one per decision."""

    id: str
    task: str
    verdict_id: str
    student_hash: str
    by: str
    reason: str
    created_at: datetime = Field(default_factory=now)

    @property
    def sentence(self) -> str:
        """Who, when and why, for a person."""
        return f"Released by {self.by} on {self.created_at:%-d %B %Y} against the verdict: {self.reason}"


def keep(store: Store, db: sa.Connection, new: Override, about: tuple[str, str, str]) -> None:
    """Keep an override, in the caller's transaction. `about`: the task, student and verdict that go live.

    Raises NotApproved where it is about others, or names nobody or no reason.
    """
    if (new.task, new.student_hash, new.verdict_id) != about:
        raise NotApproved(f"this override is about verdict {new.verdict_id} of {new.task}, not about {about[2]}.")
    if not new.by.strip() or not new.reason.strip():
        raise NotApproved("an override needs the name of the person who decides, and a reason.")
    store.add_many(db, table, [row_of(new)])


def is_overridden(db: sa.Connection, student_hash: str, verdict_id: str) -> bool:
    """Whether somebody decided against this verdict on this student."""
    found = sa.select(table.c.id).where(table.c.verdict_id == verdict_id, table.c.student_hash == student_hash)
    return db.execute(found).first() is not None


def overrides(store: Store, task: str) -> list[Override]:
    """What people decided against verdicts of a task, oldest first."""
    query = sa.select(table).where(table.c.task == task).order_by(table.c.created_at)
    with store.read() as db:
        return [Override.model_validate(dict(r._mapping)) for r in db.execute(query)]


def override_of(store: Store, release: Release) -> Override | None:
    """The newest override by which a release went live; None where its verdict is approved."""
    found = [one for one in overrides(store, release.task) if one.verdict_id == release.verdict_id]
    return found[-1] if found else None
