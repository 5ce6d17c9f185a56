"""Answers that stand for another asking: those of a document's near-duplicates, and those of a production log.

of_clusters(store, "legal_intake", model, prompt, clusters)     # cluster -> the answer that one of its documents got
logged(store, "legal_intake")                                   # document id -> what the log says was answered
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from records.store import Store
from records.tables import documents, labels
from records.types import Label, Outcome, Role, Split

LOGGED = "logged:"
"""How the model of an answer begins that came with a log."""
_AT_ONCE = 500


class Place(NamedTuple):
    """Where a document stands."""

    cluster: str
    split: Split


def places(store: Store, task: str, ids: Sequence[str]) -> dict[str, Place]:
    """The cluster and split of each of these documents."""
    found, columns = dict[str, Place](), (documents.c.id, documents.c.cluster, documents.c.split)
    with store.read() as db:
        for n in range(0, len(ids), _AT_ONCE):
            among = (documents.c.task == task) & documents.c.id.in_(ids[n : n + _AT_ONCE])
            found |= {
                i: Place(cluster, Split(split)) for i, cluster, split in db.execute(sa.select(*columns).where(among))
            }
    return found


def of_clusters(store: Store, task: str, model: str, prompt: str, clusters: Iterable[str]) -> dict[str, Label]:
    """The first answer that the teacher gave to a document of each cluster; test documents and copies do not count."""
    all_, found = list(dict.fromkeys(clusters)), dict[str, Label]()
    same = (labels.c.task == documents.c.task) & (labels.c.document_id == documents.c.id)
    own = (labels.c.outcome == Outcome.answered) & labels.c.copied_from.is_(None) & (documents.c.split != Split.test)
    asked = (labels.c.task == task) & (labels.c.role == Role.teacher) & (labels.c.model == model)
    query = sa.select(documents.c.cluster, *labels.c).select_from(documents.join(labels, same))
    query = query.where(asked, labels.c.prompt == prompt, own).order_by(labels.c.created_at)
    with store.read() as db:
        for n in range(0, len(all_), _AT_ONCE):
            for row in db.execute(query.where(documents.c.cluster.in_(all_[n : n + _AT_ONCE]))).mappings():
                values = dict(row)
                found.setdefault(values.pop("cluster"), Label.model_validate(values))
    return found


def logged(store: Store, task: str, ids: Collection[str] | None = None) -> dict[str, Label]:
    """The newest answer to each document (of these, if given: a page of them) that came with a log."""
    query = sa.select(labels).where(labels.c.task == task, labels.c.model.startswith(LOGGED, autoescape=True))
    if ids is not None:
        query = query.where(labels.c.document_id.in_(list(ids)))
    with store.read() as db:
        rows = db.execute(query.order_by(labels.c.created_at)).mappings()
        return {row["document_id"]: Label.model_validate(dict(row)) for row in rows}
