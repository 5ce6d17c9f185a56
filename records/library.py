"""The documents of a task, in the store. Grain: one row per task and content.

A document's split is settled when it arrives, by `records.clusters`, and never changes afterwards.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import sqlalchemy as sa

from records.split import cluster_of, document_id, split_of
from records.store import Store, row_of
from records.tables import documents as table
from records.types import Document, Split

_PAGE = 500
_CHUNK = 1_000


class Added(NamedTuple):
    """How many documents were new and how many were there already; of the new, how many are near-duplicates."""

    added: int
    known: int
    near: int = 0


def document(
    task: str,
    text: str,
    source: str,
    external_id: str | None = None,
    metadata: dict[str, str | int | float] | None = None,
) -> Document:
    """A document from its text: id, cluster and split follow from the content.

    Where the store knows a near-duplicate, `add` keeps it with that one's cluster and split instead.
    """
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


class Stream:
    """A task's documents (of these ids, if given), the test split first, read a page at a time: only ids are held."""

    def __init__(self, store: Store, task: str, ids: Iterable[str] | None = None) -> None:
        """Settles which documents there are; their texts are read as they are asked for."""
        found = _ids(store, task)
        wanted = None if ids is None else set(ids)
        self.ids = found if wanted is None else [i for i in found if i in wanted]
        self._store, self._task = store, task

    def __len__(self) -> int:
        """How many there are."""
        return len(self.ids)

    def __iter__(self) -> Iterator[Document]:
        """Each document, in order."""
        for start in range(0, len(self.ids), _PAGE):
            page = self.ids[start : start + _PAGE]
            found = get(self._store, self._task, page)
            yield from (found[i] for i in page if i in found)


def _ids(store: Store, task: str) -> list[str]:
    """The test split first: the gate needs its answers in any case."""
    last = sa.case((table.c.split == Split.test, 0), else_=1)
    query = sa.select(table.c.id).where(table.c.task == task).order_by(last, table.c.created_at, table.c.id)
    with store.read() as db:
        return list(db.execute(query).scalars())


def add(store: Store, documents: Iterable[Document]) -> Added:
    """Keep the documents that are new, each with its cluster and split; in transactions of 1,000."""
    from records.clusters import Clusters

    given = list(documents)
    added = near = 0
    for task in dict.fromkeys(d.task for d in given):
        of_task = [d for d in given if d.task == task]
        for n in range(0, len(of_task), _CHUNK):
            clusters = Clusters(store, task, of_task[n : n + _CHUNK])
            with store.begin_alone(f"documents of {task}") as db:
                settled = clusters.settle(db)
                store.add_many(db, table, [row_of(d) for d in settled])
            added += len(settled)
            near += clusters.near
    return Added(added, len(given) - added, near)


def documents(store: Store, task: str, split: Split | None = None) -> list[Document]:
    """A task's documents (of one split, if given), in the order of arrival."""
    query = sa.select(table).where(table.c.task == task)
    if split:
        query = query.where(table.c.split == split)
    with store.read() as db:
        return [Document.model_validate(dict(r._mapping)) for r in db.execute(query.order_by(table.c.created_at))]


def get(store: Store, task: str, ids: Iterable[str]) -> dict[str, Document]:
    """Documents by id; an unknown id is simply missing."""
    found: dict[str, Document] = {}
    wanted = list(dict.fromkeys(ids))
    with store.read() as db:
        for start in range(0, len(wanted), _PAGE):
            page = wanted[start : start + _PAGE]
            rows = db.execute(sa.select(table).where(table.c.task == task, table.c.id.in_(page)))
            found |= {row.id: Document.model_validate(dict(row._mapping)) for row in rows}
    return found


def counts(store: Store, task: str) -> dict[str, int]:
    """How many documents a task has in each split."""
    query = sa.select(table.c.split, sa.func.count()).where(table.c.task == task).group_by(table.c.split)
    with store.read() as db:
        return {split: n for split, n in db.execute(query)}
