"""What people said. Grain: one row per task, document and reviewer; the newest answer of a person replaces their older.

Gold is what people said, and only where they agree: a document on which two reviewers differ is *disputed*, kept as
such, and is gold for nobody, until a lead decides (`records.second_looks`). A lead's decision stands whatever reviewers
say before or after it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from records import second_looks
from records.store import Store, row_of
from records.tables import corrections as table
from records.types import Answer, Correction


class Settled(NamedTuple):
    """Gold where all agree or a lead decided, and what is disputed. Discarded answers count for neither.

    A document that the lead discarded cannot be answered: it is in neither.
    """

    gold: dict[str, Answer]
    disputed: dict[str, list[Correction]]


def save(store: Store, rows: Iterable[Correction]) -> int:
    """Keep people's answers, in one transaction; how many were new or changed."""
    changed = 0
    with store.begin() as db:
        for row in rows:
            changed += _save_one(store, db, row)
    return changed


def _save_one(store: Store, db: sa.Connection, row: Correction) -> int:
    mine = (table.c.task == row.task) & (table.c.document_id == row.document_id) & (table.c.reviewer == row.reviewer)
    known = db.execute(sa.select(table).where(mine)).first()
    if known and _same(Correction.model_validate(dict(known._mapping)), row):
        return 0
    store.put_one(db, table, row_of(row))
    return 1


def _same(known: Correction, new: Correction) -> bool:
    return (known.value, known.discarded) == (new.value, new.discarded) or known.answered_at > new.answered_at


def all(store: Store, task: str) -> list[Correction]:
    """Every person's answer to a task's documents, oldest first."""
    query = sa.select(table).where(table.c.task == task).order_by(table.c.answered_at)
    with store.read() as db:
        return [Correction.model_validate(dict(r._mapping)) for r in db.execute(query)]


def digests(gold: Mapping[str, Answer]) -> dict[str, str]:
    """8 hex digits of each document's answer: by them a dataset knows later which corrections are new or edited."""
    return {i: hashlib.blake2b(json.dumps(gold[i], sort_keys=True).encode(), digest_size=4).hexdigest() for i in gold}


def settled(store: Store, task: str) -> Settled:
    """Gold and disputes of a task."""
    decided = second_looks.decisions(store, task)
    by_document: dict[str, list[Correction]] = {}
    for row in all(store, task):
        if not row.discarded and row.document_id not in decided:
            by_document.setdefault(row.document_id, []).append(row)
    gold = {i: one.value for i, one in decided.items() if one.value is not None}
    disputed: dict[str, list[Correction]] = {}
    for document_id, rows in by_document.items():
        first = rows[0].value
        if first is not None and len([r for r in rows if r.value == first]) == len(rows):
            gold[document_id] = first
        else:
            disputed[document_id] = rows
    return Settled(gold, disputed)
