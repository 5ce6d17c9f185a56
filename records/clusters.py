"""Which cluster a document belongs to when it arrives, and so which split it is in from then on, for ever.

1. It is nearly like no document of the task (`records.near`): its own content decides (`records.split`).
2. It is nearly like some that are all in one split: it joins the cluster of the most similar, and so its split.
3. It is nearly like documents of two splits, which are not like each other: it is `withheld`, neither trained on nor
   tested with. In training it would give away what the test asks; in the test it would ask what was trained on.

So a cluster's split is that of its first document's content. The order of arrival can decide which of two near
documents is the first, and nothing else: no document in the store ever changes its split, and in no order does one
come into training that was found to be nearly like a test document. (Each by its own content, near-duplicates would
stand on both sides; clusters that are merged later would move test documents into training.)

A band is kept once a cluster, so ten thousand copies of one letter are one candidate. The documents of a task that were
there before Retort looked for near-duplicates stay as they are, and are found from then on.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from records.near import THRESHOLD, bands_of, similarity
from records.split import split_of
from records.store import Store
from records.tables import document_bands as bands_table
from records.tables import documents as table
from records.types import Document, Split

_CANDIDATES, _IN_VAIN = 32, 8
"""Looked at for one document at most, those that share most bands first; and until so many in a row are not near."""
_AT_ONCE = 500
_TEXTS_KEPT = 256

Owner = tuple[str, str]
"""A cluster that has a band, and its first document that had it."""


class Clusters:
    """One chunk of documents of one task, on its way into the store. `near`: how many are near-duplicates."""

    def __init__(self, store: Store, task: str, documents: Sequence[Document]) -> None:
        """The bands are computed here, before the store is locked."""
        self._store, self._task = store, task
        self._documents = {d.id: d for d in reversed(documents)}
        self._bands = {d.id: bands_of(d.text) for d in documents}
        self._owners: dict[int, set[Owner]] = defaultdict(set)
        self._texts: dict[str, str] = {}
        self.near = 0

    def settle(self, db: sa.Connection) -> list[Document]:
        """The documents that are new, in their order, with cluster and split; their bands are kept."""
        if db.execute(sa.select(bands_table.c.band).where(bands_table.c.task == self._task).limit(1)).first() is None:
            self._take_in_old_ones(db)
        known = {id_ for (id_,) in self._among(db, table.c.id, self._bands, table.c.id)}
        fresh = [self._documents[id_] for id_ in self._bands if id_ not in known]
        bands = dict.fromkeys(band for d in fresh for band in self._bands[d.id])
        columns = (bands_table.c.band, bands_table.c.cluster, bands_table.c.document_id)
        for band, cluster, document_id in self._among(db, bands_table.c.band, bands, *columns):
            self._owners[band].add((cluster, document_id))
        settled = [self._settled(db, d) for d in fresh]
        self._keep_bands(db, settled)
        return settled

    def _settled(self, db: sa.Connection, document: Document) -> Document:
        alike = self._clusters_like(db, document)
        splits = {split_of(cluster) for cluster in alike}
        self.near += bool(alike)
        if len(splits) > 1:
            return document.model_copy(update={"split": Split.withheld})
        if alike:
            cluster = max(alike, key=lambda one: (alike[one], one))
            document = document.model_copy(update={"cluster": cluster, "split": split_of(cluster)})
        for band in self._bands[document.id]:
            if not any(cluster == document.cluster for cluster, _ in self._owners[band]):
                self._owners[band].add((document.cluster, document.id))
        return document

    def _clusters_like(self, db: sa.Connection, document: Document) -> dict[str, float]:
        """The clusters of near-duplicates, each with the similarity of its most similar document."""
        shared = Counter(owner for band in self._bands[document.id] for owner in self._owners[band])
        likeliest = sorted(shared, key=lambda owner: (-shared[owner], owner))[:_CANDIDATES]
        alike: dict[str, float] = {}
        in_vain = 0
        for cluster, other in likeliest:
            found = similarity(document.text, self._text(db, other))
            in_vain = 0 if found >= THRESHOLD else in_vain + 1
            if found >= THRESHOLD:
                alike[cluster] = max(found, alike.get(cluster, 0.0))
            if in_vain >= _IN_VAIN:
                break
        return alike

    def _text(self, db: sa.Connection, id_: str) -> str:
        if id_ in self._documents:
            return self._documents[id_].text
        if id_ not in self._texts:
            if len(self._texts) >= _TEXTS_KEPT:
                self._texts.clear()
            query = sa.select(table.c.text).where(table.c.task == self._task, table.c.id == id_)
            self._texts[id_] = db.execute(query).scalar_one()
        return self._texts[id_]

    def _keep_bands(self, db: sa.Connection, documents: Iterable[Document]) -> None:
        """Keep for each band the first document of each cluster that has it; none of those that are withheld."""
        rows = [
            {"task": self._task, "band": band, "cluster": document.cluster, "document_id": document.id}
            for document in documents
            if document.split is not Split.withheld
            for band in self._bands[document.id]
            if (document.cluster, document.id) in self._owners[band]
        ]
        self._store.add_many(db, bands_table, rows)

    def _take_in_old_ones(self, db: sa.Connection) -> None:
        """Give bands to the documents that the store held before it kept any."""
        query = sa.select(table.c.id, table.c.cluster, table.c.text).where(table.c.task == self._task)
        for id_, cluster, text in db.execute(query.order_by(table.c.created_at).execution_options(yield_per=_AT_ONCE)):
            rows = [dict(task=self._task, band=b, cluster=cluster, document_id=id_) for b in bands_of(text)]
            self._store.add_many(db, bands_table, rows)

    def _among(
        self, db: sa.Connection, column: sa.Column[Any], values: Iterable[Any], *wanted: sa.Column[Any]
    ) -> Iterator[sa.Row[Any]]:
        """Rows of the task whose column has one of these values, asked for by the hundred."""
        all_, of_task = list(values), column.table.c.task == self._task
        for n in range(0, len(all_), _AT_ONCE):
            yield from db.execute(sa.select(*wanted).where(of_task, column.in_(all_[n : n + _AT_ONCE])))
