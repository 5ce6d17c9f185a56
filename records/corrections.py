"""What people said. Grain: one row per task, document and reviewer; the newest answer of a person replaces their older,
which `records.history` keeps. An answer with a label that was renamed since is read under its name of today; one whose
label was split is no answer any more (`superseded`).

Gold is what people said, and only where they agree (`records.votes`: all of them, or most where the task says so). A
document on which they do not is *disputed*, kept as such, and is gold for nobody, until a lead decides
(`records.second_looks`). A lead's decision stands whatever reviewers say before or after it.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from records import label_names, second_looks, votes
from records.store import Store, row_of
from records.tables import corrections as table
from records.tables_history import edits
from records.types import Answer, Correction
from records.votes import Won


class Settled(NamedTuple):
    """Gold where people agree or a lead decided, and what is disputed. Discarded answers count for neither.

    A document that the lead discarded cannot be answered: it is in neither. `by_majority`: the part of gold that not
    all said; `waiting`: documents on which people differ and for whose majority answers are still to come.
    """

    gold: dict[str, Answer]
    disputed: dict[str, list[Correction]]
    by_majority: Mapping[str, Won] = {}
    waiting: Collection[str] = ()


def save(store: Store, rows: Iterable[Correction]) -> int:
    """Keep people's answers, in one transaction; how many were new or changed."""
    changed = 0
    with store.begin() as db:
        names: dict[str, dict[str, str | None]] = {}
        for row in rows:
            if row.task not in names:
                names[row.task] = label_names.today(db, row.task)
            changed += _save_one(store, db, row, names[row.task])
    return changed


def _save_one(store: Store, db: sa.Connection, row: Correction, names: Mapping[str, str | None]) -> int:
    mine = (table.c.task == row.task) & (table.c.document_id == row.document_id) & (table.c.reviewer == row.reviewer)
    known = db.execute(sa.select(table).where(mine)).first()
    if known and _same(_read(known, names), row):
        return 0
    store.put_one(db, table, row_of(row))
    store.add_one(db, edits, row_of(row))
    return 1


def _read(row: sa.Row[Any], names: Mapping[str, str | None]) -> Correction:
    """A row under the labels' names of today."""
    found = Correction.model_validate(dict(row._mapping))
    if not names:
        return found
    update = {"value": label_names.named(found.value, names), "suggestion": label_names.named(found.suggestion, names)}
    return found.model_copy(update=update)


def _same(known: Correction, new: Correction) -> bool:
    return (known.value, known.discarded) == (new.value, new.discarded) or known.answered_at > new.answered_at


def all(store: Store, task: str) -> list[Correction]:
    """Every person's answer to a task's documents, oldest first; without what a split label has made void."""
    rows, split = _all(store, task)
    return [row for row in rows if not _void(row, split)]


def superseded(store: Store, task: str) -> list[Correction]:
    """Answers with a label that was split since: kept, and asked about again."""
    rows, split = _all(store, task)
    return [row for row in rows if _void(row, split)]


def _void(row: Correction, split: Collection[str]) -> bool:
    return isinstance(row.value, str) and row.value in split


def _all(store: Store, task: str) -> tuple[list[Correction], set[str]]:
    """All rows, and the labels that were split."""
    query = sa.select(table).where(table.c.task == task).order_by(table.c.answered_at)
    with store.read() as db:
        names = label_names.today(db, task)
        return [_read(row, names) for row in db.execute(query)], label_names.split(names)


def digests(gold: Mapping[str, Answer]) -> dict[str, str]:
    """8 hex digits of each document's answer: by them a dataset knows later which corrections are new or edited."""
    return {i: hashlib.blake2b(json.dumps(gold[i], sort_keys=True).encode(), digest_size=4).hexdigest() for i in gold}


def settled(store: Store, task: str) -> Settled:
    """Gold and disputes of a task."""
    decided, rule = second_looks.decisions(store, task), votes.voting(store, task)
    came = Counter[str]()
    by_document: dict[str, list[Correction]] = {}
    for row in all(store, task):
        came[row.document_id] += 1
        if not row.discarded and row.document_id not in decided:
            by_document.setdefault(row.document_id, []).append(row)
    found = {i: votes.won(rows, rule.majority) for i, rows in by_document.items()}
    gold = {i: one.value for i, one in decided.items() if one.value is not None}
    gold |= {i: won.answer for i, won in found.items() if won}
    waiting = votes.waiting(store, task, rule, {i: came[i] for i, won in found.items() if won is None})
    return Settled(
        gold,
        disputed={i: by_document[i] for i, won in found.items() if won is None and i not in waiting},
        by_majority={i: won for i, won in found.items() if won and won.votes < won.answers},
        waiting=waiting,
    )
