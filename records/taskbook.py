"""Which tasks the store knows, where their folders are, and each version of their definition.

Grain: one row per task and definition fingerprint. How often a task changes is read from here.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from records.errors import InputError
from records.store import Store
from records.tables import documents, requests
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


def newest(store: Store, name: str) -> dict[str, Any]:
    """The newest version of a task as it was defined; empty for a task that was never used."""
    query = sa.select(table.c.definition).where(table.c.name == name).order_by(table.c.seen_at.desc()).limit(1)
    with store.read() as db:
        return db.execute(query).scalar() or {}


def names(store: Store) -> list[str]:
    """All tasks that were ever used, sorted."""
    with store.read() as db:
        return sorted(set(db.execute(sa.select(table.c.name)).scalars()))


def versions(store: Store, name: str, since: datetime) -> tuple[int, bool]:
    """How many versions of a task were in use since then, and whether there were others before."""
    query = sa.select(table.c.seen_at).where(table.c.name == name)
    with store.read() as db:
        seen = list(db.execute(query).scalars())
    return sum(at >= since for at in seen), any(at < since for at in seen)


def known_since(store: Store, name: str) -> datetime | None:
    """The moment of a task's first document or request; None before there is one."""
    with store.read() as db:
        found = [
            db.execute(sa.select(sa.func.min(one.c.created_at)).where(one.c.task == name)).scalar()
            for one in (documents, requests)
        ]
    return min((at for at in found if at is not None), default=None)
