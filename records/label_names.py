"""What became of labels that a task no longer has. Grain: one row per task and old name.

One real row: task "legal_intake", old "permit", new "compliance". `new` is null where the label was split: an answer
with the old name then says too little, and its document is asked about again.

What people answered is kept as they said it, for ever; it is *read* under the names of today. So a rename can be
taken back, and an answer that was split comes to life again when the old label does.
"""

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from records.store import Store
from records.tables_history import label_names as table
from records.types import Answer


def remember(store: Store, task: str, became: Mapping[str, str | None], labels: Collection[str]) -> None:
    """Note what became of old labels; a label that is there (again), in `labels`, is not old. Known ones stay known."""
    mine = table.c.task == task
    with store.begin() as db:
        known = {row.old: row.new for row in db.execute(sa.select(table).where(mine))}
        revived = [old for old in known if old in labels]
        if revived:
            db.execute(sa.delete(table).where(mine, table.c.old.in_(revived)))
        rows = [{"task": task, "old": old, "new": new} for old, new in became.items() if known.get(old, "") != new]
        store.put_many(db, table, rows)


def today(db: sa.Connection, task: str) -> dict[str, str | None]:
    """Old names to the names of today, through any number of changes; None: split."""
    became = {row.old: row.new for row in db.execute(sa.select(table).where(table.c.task == task))}
    return {old: _end(old, became) for old in became}


def named(value: Answer | None, names: Mapping[str, str | None]) -> Answer | None:
    """A label's name of today; one that was split keeps its old name. `names`: as `today` gives them."""
    return names.get(value) or value if isinstance(value, str) else value


def split(names: Mapping[str, str | None]) -> set[str]:
    """The old labels that were split."""
    return {old for old, new in names.items() if new is None}


def _end(old: str, became: Mapping[str, str | None]) -> str | None:
    name: str | None = old
    for _ in became:  # as many steps as there are names: two that are each other's old name go in no circle
        if name is None or name not in became:
            break
        name = became[name]
    return name
