"""Every answer that a model gave, with what it cost. Grain: one row per answer key.

An answer that was paid for is saved before anything else happens with it, and never asked for again: `answered_keys`
says which need not be. An answer that is asked for anew (a failed call; others when a person says so) takes the place
of the old one, whose cost stays with its run as a charge.
"""

from collections.abc import Collection, Iterator, Sequence

import sqlalchemy as sa

from records import claims, runs
from records.store import Store, row_of
from records.tables import labels as table
from records.types import Label, Outcome, Role

_RECENT = _PAGE = 500


def save(store: Store, labels: Sequence[Label]) -> None:
    """Keep answers, count them in their runs and end their claims, in one transaction. A known answer is left alone,
    unless it failed or its run is another.
    """
    newest = {label.key: label for label in labels}
    with store.begin_alone("ledger") as db:
        old = _kept(db, newest)
        fresh = [label for key, label in newest.items() if key not in old or _gives_way(old[key], label)]
        runs.move_to_charges(db, store, [old[label.key] for label in fresh if label.key in old])
        store.put_many(db, table, [row_of(label) for label in fresh])
        for run in {label.run for label in fresh if label.run}:
            runs.count(db, run, [label for label in fresh if label.run == run])
        claims.end(db, newest)


def _gives_way(old: Label, new: Label) -> bool:
    return old.outcome is Outcome.failed or old.run != new.run


def _kept(db: sa.Connection, keys: Collection[str]) -> dict[str, Label]:
    rows = db.execute(sa.select(table).where(table.c.key.in_(list(keys))))
    return {row.key: Label.model_validate(dict(row._mapping)) for row in rows}


def add(store: Store, labels: Sequence[Label]) -> int:
    """Keep answers that nobody was asked for (copies, logged ones); how many were new. They belong to no run."""
    return store.add(table, [row_of(label) for label in labels])


def answered_keys(store: Store, keys: Collection[str], again: Collection[Outcome] = (Outcome.failed,)) -> set[str]:
    """Which of these keys need not be asked again: all that are known, but those whose outcome is in `again`."""
    done = table.c.outcome.not_in([outcome.value for outcome in again])
    query = sa.select(table.c.key).where(table.c.key.in_(list(keys)), done)
    with store.read() as db:
        return set(db.execute(query).scalars())


def labels(
    store: Store, task: str, role: Role | None = None, model: str | None = None, prompt: str | None = None
) -> list[Label]:
    """A task's answers, oldest first, narrowed to a role, a model, a prompt fingerprint."""
    return list(_labels(store, task, role, model, prompt, None))


def newest(
    store: Store,
    task: str,
    role: Role,
    model: str | None = None,
    prompt: str | None = None,
    ids: Collection[str] | None = None,
) -> dict[str, Label]:
    """The newest answer to each document (of these, if given) that a model in this role gave."""
    pages = [None] if ids is None else _pages(list(ids))
    found = (label for page in pages for label in _labels(store, task, role, model, prompt, page))
    return {label.document_id: label for label in found}


def _pages(keys: Sequence[str]) -> list[Sequence[str]]:
    """As many at a time as one query takes."""
    return [keys[start : start + _PAGE] for start in range(0, len(keys), _PAGE)]


def _labels(
    store: Store, task: str, role: Role | None, model: str | None, prompt: str | None, ids: Sequence[str] | None
) -> Iterator[Label]:
    query = sa.select(table).where(table.c.task == task)
    for column, value in ((table.c.role, role), (table.c.model, model), (table.c.prompt, prompt)):
        if value is not None:
            query = query.where(column == value)
    if ids is not None:
        query = query.where(table.c.document_id.in_(ids))
    with store.read() as db:
        yield from (Label.model_validate(dict(r._mapping)) for r in db.execute(query.order_by(table.c.created_at)))


def ids_with(store: Store, task: str, role: Role, model: str, prompt: str, outcomes: Collection[Outcome]) -> list[str]:
    """The documents on which asking ended with one of these outcomes, the oldest first."""
    query = (
        sa.select(table.c.document_id)
        .where(table.c.task == task, table.c.role == role, table.c.model == model, table.c.prompt == prompt)
        .where(table.c.outcome.in_([outcome.value for outcome in outcomes]))
        .order_by(table.c.created_at)
    )
    with store.read() as db:
        return list(dict.fromkeys(db.execute(query).scalars()))


def latency_range(store: Store, task: str, model: str) -> tuple[float, float] | None:
    """Seconds within which the middle half of a model's newest answers to a task came; None without answers.

    Answers of batches are not in it: they have no latency (0).
    """
    query = (
        sa.select(table.c.latency_s)
        .where(table.c.task == task, table.c.model == model, table.c.outcome == Outcome.answered)
        .where(table.c.latency_s > 0)
        .order_by(table.c.created_at.desc())
        .limit(_RECENT)
    )
    with store.read() as db:
        found = sorted(db.execute(query).scalars())
    return (found[len(found) // 4], found[3 * len(found) // 4]) if found else None


def spent(store: Store, task: str) -> float:
    """US dollars paid for a task so far: its answers, and what was paid beside them."""
    return runs.spent(store, task)
