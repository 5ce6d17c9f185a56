"""The documents of a task, in the store. Grain: one row per task and content."""

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from records.split import cluster_of, document_id, split_of
from records.store import Store, row_of
from records.tables import documents as table
from records.types import Document, Split


class Added(NamedTuple):
    """How many documents were new and how many were there already."""

    added: int
    known: int


def document(
    task: str,
    text: str,
    source: str,
    external_id: str | None = None,
    metadata: dict[str, str | int | float] | None = None,
) -> Document:
    """A document from its text: id, cluster and split follow from the content."""
    cluster = cluster_of(text)
    return Document(
        task=task,
        id=document_id(text),
        text=text,
        source=source,
        external_id=external_id,
        split=split_of(cluster),
        cluster=cluster,
        metadata=metadata or {},
    )


def add(store: Store, documents: Iterable[Document]) -> Added:
    """Keep the documents that are new, in one transaction."""
    rows = [row_of(d) for d in documents]
    added = store.add(table, rows)
    return Added(added, len(rows) - added)


def documents(store: Store, task: str, split: Split | None = None) -> list[Document]:
    """A task's documents (of one split, if given), in the order of arrival."""
    query = sa.select(table).where(table.c.task == task)
    if split:
        query = query.where(table.c.split == split)
    with store.read() as db:
        return [Document.model_validate(dict(r._mapping)) for r in db.execute(query.order_by(table.c.created_at))]


def get(store: Store, task: str, ids: Iterable[str]) -> dict[str, Document]:
    """Documents by id; an unknown id is simply missing."""
    wanted = set(ids)
    return {d.id: d for d in documents(store, task) if d.id in wanted}


def counts(store: Store, task: str) -> dict[str, int]:
    """How many documents a task has in each split."""
    query = sa.select(table.c.split, sa.func.count()).where(table.c.task == task).group_by(table.c.split)
    with store.read() as db:
        return {split: n for split, n in db.execute(query)}
