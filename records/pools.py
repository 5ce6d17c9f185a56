"""The frozen pools of examples. Grain: one row per task and version, numbers grow by one.

People's answers grow with every `collect`. If the pool that examples are chosen from grew with them, every prompt would
change each time, and every document would be asked and paid for again. So a pool is a version: frozen when a person
asks for it, used until one asks for the next. One real row (the texts stay where they are, in `documents`):

    Pool(task="mail", version=2, hash="5b0c81f2...", pairs=[["41d0c7a2b6e95f13", "lease"], ...])
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from pydantic import Field

from records.errors import StoreError
from records.store import Store, row_of
from records.tables import documents as texts
from records.tables import pools as table
from records.types import Answer, Document, Record, now

_AT_ONCE = 500
"""Ids in one query: SQLite takes a bounded number of parameters."""


class Pool(Record):
    """Documents with their answers, by document id. `hash`: 16 hex digits of the pairs and nothing else."""

    task: str
    version: int
    hash: str
    pairs: list[tuple[str, Answer]]
    created_at: datetime = Field(default_factory=now)


def draft(store: Store, task: str, pairs: Iterable[tuple[str, Answer]]) -> Pool:
    """The pool that these pairs make, not kept: the newest one if it holds the same, else the next version."""
    ordered = sorted(pairs, key=lambda pair: pair[0])
    blob = json.dumps(ordered, ensure_ascii=False, sort_keys=True)
    digest = hashlib.blake2b(blob.encode(), digest_size=8).hexdigest()
    last = get(store, task)
    if last and last.hash == digest:
        return last
    return Pool(task=task, version=last.version + 1 if last else 1, hash=digest, pairs=ordered)


def add(store: Store, pool: Pool) -> None:
    """Keep a pool; the same one again changes nothing. Raises StoreError when its version is another one by now."""
    if not store.add(table, [row_of(pool)]) and hash_of(store, pool.task, pool.version) != pool.hash:
        raise StoreError(f"somebody else froze pool {pool.version} of {pool.task} at the same time: do it again.")


def get(store: Store, task: str, version: int | None = None) -> Pool | None:
    """One pool of a task: this version, or the newest; None where there is none."""
    with store.read() as db:
        found = db.execute(_one(sa.select(table), task, version)).first()
    return Pool.model_validate(dict(found._mapping)) if found else None


def hash_of(store: Store, task: str, version: int | None = None) -> str | None:
    """The hash of that pool alone: what a gateway looks up for every request."""
    with store.read() as db:
        found: str | None = db.execute(_one(sa.select(table.c.hash), task, version)).scalar()
    return found


def documents(store: Store, task: str, ids: Iterable[str]) -> list[Document]:
    """The documents of a pool, or of another collection of ids, sorted by id; an unknown id is simply missing."""
    wanted, found = sorted(ids), list[Document]()
    with store.read() as db:
        for at in range(0, len(wanted), _AT_ONCE):
            some = (texts.c.task == task) & texts.c.id.in_(wanted[at : at + _AT_ONCE])
            rows = db.execute(sa.select(texts).where(some).order_by(texts.c.id))
            found += [Document.model_validate(dict(row._mapping)) for row in rows]
    return found


def _one(query: sa.Select[tuple[str]], task: str, version: int | None) -> sa.Select[tuple[str]]:
    query = query.where(table.c.task == task)
    if version is not None:
        query = query.where(table.c.version == version)
    return query.order_by(table.c.version.desc()).limit(1)
