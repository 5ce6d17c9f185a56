"""Every answer that a model gave, with what it cost. Grain: one row per answer key.

An answer that was paid for is saved before anything else happens with it, and never asked for again: `save` ignores a
key that is known, except that a *failed* call (nothing was answered) gives way to a later answer.
"""

import sqlalchemy as sa

from records.store import Store, row_of
from records.tables import labels as table
from records.types import Label, Outcome, Role


def save(store: Store, label: Label) -> None:
    """Keep one answer, in a transaction of its own."""
    with store.begin() as db:
        failed = (table.c.key == label.key) & (table.c.outcome == Outcome.failed)
        db.execute(sa.delete(table).where(failed))
        store.add_one(db, table, row_of(label))


def answered_keys(store: Store, task: str, model: str) -> set[str]:
    """Keys that need not be asked again: all but the failed ones."""
    query = sa.select(table.c.key).where(
        table.c.task == task, table.c.model == model, table.c.outcome != Outcome.failed
    )
    with store.read() as db:
        return set(db.execute(query).scalars())


def labels(
    store: Store, task: str, role: Role | None = None, model: str | None = None, prompt: str | None = None
) -> list[Label]:
    """A task's answers, oldest first, narrowed to a role, a model, a prompt fingerprint."""
    query = sa.select(table).where(table.c.task == task)
    for column, value in ((table.c.role, role), (table.c.model, model), (table.c.prompt, prompt)):
        if value is not None:
            query = query.where(column == value)
    with store.read() as db:
        return [Label.model_validate(dict(r._mapping)) for r in db.execute(query.order_by(table.c.created_at))]


def newest(
    store: Store, task: str, role: Role, model: str | None = None, prompt: str | None = None
) -> dict[str, Label]:
    """The newest answer to each document that a model in this role gave."""
    return {label.document_id: label for label in labels(store, task, role, model, prompt)}


def spent(store: Store, task: str) -> float:
    """US dollars paid for a task's answers so far."""
    query = sa.select(sa.func.coalesce(sa.func.sum(table.c.cost_usd), 0.0)).where(table.c.task == task)
    with store.read() as db:
        return float(db.execute(query).scalar_one())
