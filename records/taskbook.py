"""Which tasks the store knows, where their folders are, and each version of their definition.

Grain: one row per task and definition fingerprint. How often a task changes is read from here.
"""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from records.errors import InputError
from records.store import Store
from records.tables import tasks as table
from records.types import now


def remember(store: Store, name: str, fingerprint: str, folder: Path, definition: dict[str, Any]) -> None:
    """Note that this version of the task is in use now, and where its folder is."""
    row = {
        "name": name,
        "fingerprint": fingerprint,
        "folder": str(folder.resolve()),
        "definition": definition,
        "seen_at": now(),
    }
    with store.begin() as db:
        store.put_one(db, table, row)


def folder(store: Store, name: str) -> Path:
    """The folder of the newest version of a task. Raises InputError for an unknown name."""
    query = sa.select(table.c.folder).where(table.c.name == name).order_by(table.c.seen_at.desc())
    with store.read() as db:
        found = db.execute(query).scalar()
    if found is None:
        raise InputError(f"no task named {name!r} is known (known: {', '.join(names(store)) or 'none'}).")
    return Path(found)


def definition(store: Store, name: str, fingerprint: str) -> tuple[dict[str, Any], Path] | None:
    """An earlier version of a task as it was defined, and its folder; None for a version that was never used."""
    query = sa.select(table.c.definition, table.c.folder).where(
        table.c.name == name, table.c.fingerprint == fingerprint
    )
    with store.read() as db:
        found = db.execute(query).first()
    return (found.definition, Path(found.folder)) if found else None


def names(store: Store) -> list[str]:
    """All tasks that were ever used, sorted."""
    with store.read() as db:
        return sorted(set(db.execute(sa.select(table.c.name)).scalars()))
