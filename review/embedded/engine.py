"""The search engine of an Argilla without Elasticsearch: it reads Argilla's own SQLite file, and keeps nothing.

There is no index. Argilla commits to its database before it calls the engine, so every write method does nothing
and every read is a statement on a read-only connection: nothing to persist, to rebuild, or to fall out of step after
a crash. With 50,000 records of 120 words a reviewer's queue takes 0.3 s, a text query 0.6 s, a filter with a sort
0.4 s (two busy cores). It reads the tables of one release of Argilla, which `launch` pins. Importing this module
registers the engine; `launch` does so before the server starts.
"""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from argilla_server.enums import MetadataPropertyType, SimilarityOrder
from argilla_server.search_engine.base import (
    FloatMetadataMetrics,
    IntegerMetadataMetrics,
    SearchEngine,
    SearchResponseItem,
    SearchResponses,
    TermsMetrics,
)
from argilla_server.settings import settings

from review.embedded import database, vectors
from review.embedded.filters import Sql, joined, order_by, where

NAME = "embedded"


class Reads(SearchEngine):  # type: ignore[misc]
    """The read half: each method is one question to the database."""

    def __init__(self) -> None:
        """Raises ValueError when Argilla's database is not SQLite."""
        self._file = database.file_of(settings.database_url)

    async def _rows(self, sql: Sql) -> list[database.Row]:
        return await database.rows(self._file, sql.text, sql.values)

    async def get_dataset_progress(self, dataset: Any) -> dict[str, int]:
        """Records by status, and `total`."""
        counts = Sql("SELECT status, count(*) FROM records WHERE dataset_id = ? GROUP BY status", (dataset.id.hex,))
        return await self._counts(dataset, counts)

    async def get_dataset_user_progress(self, dataset: Any, user: Any) -> dict[str, int]:
        """A user's responses by status, and `total`."""
        counts = Sql(
            "SELECT p.status, count(*) FROM responses p JOIN records r ON r.id = p.record_id "
            "WHERE r.dataset_id = ? AND p.user_id = ? GROUP BY p.status",
            (dataset.id.hex, user.id.hex),
        )
        return await self._counts(dataset, counts)

    async def _counts(self, dataset: Any, sql: Sql) -> dict[str, int]:
        if dataset.is_draft:
            return {}
        counts = {status: n for status, n in await self._rows(sql)}
        return {"total": sum(counts.values()), **counts}

    async def search(
        self,
        dataset: Any,
        query: Any = None,
        filter: Any = None,
        sort: Sequence[Any] | None = None,
        offset: int = 0,
        limit: int = 100,
        user_id: Any = None,
    ) -> Any:
        """Records that match, one page of them, and how many there are in all."""
        chosen = _chosen(dataset, filter)
        order = [order_by(o) for o in sort or []]
        if not order and user_id:
            order = [Sql("user_rank(?, r.id)", (UUID(str(user_id)).hex,))]
        if query:
            if not sort:
                order.insert(0, Sql("h.score DESC"))
            return await self._matching(chosen, _text_score(dataset, query), order, offset, limit)
        return await self._page(chosen, order, offset, limit)

    async def _page(self, chosen: Sql, order: list[Sql], offset: int, limit: int) -> Any:
        [(total,)] = await self._rows(Sql("SELECT count(*) FROM records r WHERE") + chosen)
        page = (
            Sql("SELECT r.id FROM records r WHERE")
            + chosen
            + _ordered(order)
            + Sql("LIMIT ? OFFSET ?", (limit, offset))
        )
        return _responses([(None, record) for (record,) in await self._rows(page)], total)

    async def _matching(self, chosen: Sql, score: Sql, order: list[Sql], offset: int, limit: int) -> Any:
        """Scores each record once (the text function is the cost), then cuts the page out of all hits."""
        hits = Sql("WITH h AS MATERIALIZED (SELECT r.id AS id,") + score + "AS score FROM records r WHERE" + chosen
        found = hits + ") SELECT h.score, r.id FROM h JOIN records r ON r.id = h.id WHERE h.score > 0" + _ordered(order)
        rows = await self._rows(found)
        return _responses(rows[offset : offset + limit], len(rows))

    async def compute_metrics_for(self, metadata_property: Any) -> Any:
        """What a metadata filter offers: the terms with their counts, or the smallest and the largest number."""
        each = Sql(
            "FROM records r, json_each(r.metadata, ?) j WHERE r.dataset_id = ? AND j.value IS NOT NULL",
            (f'$."{metadata_property.name}"', metadata_property.dataset_id.hex),
        )
        if metadata_property.type == MetadataPropertyType.terms:
            terms = Sql("SELECT CAST(j.value AS TEXT) t, count(*) n") + each + "GROUP BY t ORDER BY n DESC, t"
            values = [TermsMetrics.TermCount(term=t, count=n) for t, n in await self._rows(terms)]
            return TermsMetrics(total=sum(v.count for v in values), values=values)
        [(low, high)] = await self._rows(Sql("SELECT min(j.value), max(j.value)") + each)
        whole = metadata_property.type == MetadataPropertyType.integer
        return (IntegerMetadataMetrics if whole else FloatMetadataMetrics)(min=low, max=high)

    async def similarity_search(
        self,
        dataset: Any,
        vector_settings: Any,
        value: Sequence[float] | None = None,
        record: Any = None,
        query: Any = None,
        filter: Any = None,
        max_results: int = 100,
        order: Any = SimilarityOrder.most_similar,
        threshold: float | None = None,
    ) -> Any:
        """Records whose vectors are like (or unlike) a vector, or another record's."""
        target = value or (record and record.vector_value_by_vector_settings(vector_settings))
        if not target:
            raise ValueError("a similarity search needs a vector, or a record that has one")
        chosen = _chosen(dataset, filter) + Sql("AND v.vector_settings_id = ?", (vector_settings.id.hex,))
        if query:
            chosen = chosen + "AND" + _text_score(dataset, query) + "> 0"
        if record:
            chosen += Sql("AND r.id <> ?", (record.id.hex,))
        rows = await self._rows(
            Sql("SELECT r.id, v.value FROM records r JOIN vectors v ON v.record_id = r.id WHERE") + chosen
        )
        sign = -1.0 if order == SimilarityOrder.least_similar else 1.0
        hits = vectors.most_similar(target, [(id_, vector) for id_, vector in rows], sign, threshold, max_results)
        return _responses(hits, len(hits))


@SearchEngine.register(engine_name=NAME)
class EmbeddedSearchEngine(Reads):
    """The whole engine: reads, a life without resources, and writes that have nothing to do."""

    @classmethod
    async def new_instance(cls) -> "EmbeddedSearchEngine":
        """Called by the server at each request."""
        return cls()

    async def close(self) -> None:
        """Nothing is held."""

    async def ping(self) -> bool:
        """True when the database answers; raises sqlite3.Error when it does not."""
        return await self._rows(Sql("SELECT count(*) FROM (SELECT 1 FROM records LIMIT 1)")) is not None

    async def info(self) -> dict[str, Any]:
        """What the server shows of its search engine."""
        return {"name": NAME, "version": {"number": sqlite3.sqlite_version}}

    async def _nothing(self, *args: Any, **kwargs: Any) -> None:
        """The database, which is the index, has it already."""

    create_index = delete_index = configure_metadata_property = configure_index_vectors = _nothing
    index_records = partial_record_update = delete_records = _nothing
    update_record_response = delete_record_response = _nothing
    update_record_suggestion = delete_record_suggestion = _nothing


def _chosen(dataset: Any, filter: Any) -> Sql:
    chosen = Sql("r.dataset_id = ?", (dataset.id.hex,))
    return chosen + "AND" + where(filter) if filter else chosen


def _ordered(order: Sequence[Sql]) -> Sql:
    return Sql("ORDER BY") + joined(", ", [*order, Sql("r.inserted_at"), Sql("r.id")])


def _text_score(dataset: Any, query: Any) -> Sql:
    words, field = (query, None) if isinstance(query, str) else (query.q, query.field)
    names = [field] if field else [f.name for f in dataset.fields if not f.is_image]
    return Sql("text_score(r.fields, ?, ?)", (words, json.dumps(names)))


def _responses(hits: Sequence[tuple[Any, ...]], total: int) -> Any:
    items = [SearchResponseItem(record_id=UUID(record), score=score) for score, record in hits]
    return SearchResponses(items=items, total=total)
