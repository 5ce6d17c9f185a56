"""The search engine of an Argilla without Elasticsearch: it reads Argilla's own SQLite file, and keeps nothing.

Argilla commits to its database before it calls the engine, so every write method does nothing and every read is a
statement on a read-only connection: nothing to persist, or to fall out of step after a crash. The only index is that
of words (`index`), which triggers keep in the same transaction. `benchmarks/review_desk.py` measures it with 100,000
records. It reads the tables of one release of Argilla, which `launch` pins. What cannot be asked is a 422 that says
why, never a wrong result. Importing this module registers the engine; `launch` does so before the server starts.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from argilla_server.enums import MetadataPropertyType, SimilarityOrder
from argilla_server.errors.future import UnprocessableEntityError
from argilla_server.search_engine.base import (
    FloatMetadataMetrics,
    IntegerMetadataMetrics,
    SearchEngine,
    SearchResponseItem,
    SearchResponses,
    TermsMetrics,
)
from argilla_server.settings import settings

from review.embedded import database, statements, vectors
from review.embedded.filters import Sql

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
        counts = Sql(
            f"SELECT r.status, count(*) {statements.RECORDS} WHERE r.dataset_id = ? GROUP BY r.status",
            (dataset.id.hex,),
        )
        return await self._counts(dataset, counts)

    async def get_dataset_user_progress(self, dataset: Any, user: Any) -> dict[str, int]:
        """A user's responses by status, and `total`."""
        counts = Sql(
            f"SELECT p.status, count(*) {statements.RECORDS} JOIN responses p INDEXED BY search_responses "
            "ON p.record_id = r.id AND p.user_id = ? WHERE r.dataset_id = ? GROUP BY p.status",
            (user.id.hex, dataset.id.hex),
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
        """Records that match, one page of them, and how many there are in all.

        Without a sort a text query's best come first; a reviewer's queue (`user_id`) has an order of its own. Scores
        are given where they sort, 1.0 for all where nothing was asked.
        """
        with _said_plainly():
            found = statements.found(dataset.id.hex, _query(dataset, query), filter, scored=not sort)
            order = statements.ordered(sort or (), dataset.id.hex, query is not None, user_id)
        cut = found.listed + order + Sql("LIMIT ? OFFSET ?", (limit, offset))
        page, [(total,)] = await asyncio.gather(self._rows(cut), self._rows(found.counted))
        return _responses(page, total)

    async def compute_metrics_for(self, metadata_property: Any) -> Any:
        """What a metadata filter offers: the terms with their counts, or the smallest and the largest number."""
        each = Sql(
            f"{statements.RECORDS}, json_each(r.metadata, ?) j WHERE r.dataset_id = ? AND j.value IS NOT NULL",
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
        if bool(value) == bool(record):
            raise ValueError("Must provide either vector value or record to compute the similarity search")
        target = value or record.vector_value_by_vector_settings(vector_settings)
        with _said_plainly():
            if not target or len(target) != vector_settings.dimensions:
                raise ValueError(f"the vector has {len(target or ())} numbers, not {vector_settings.dimensions}.")
            ids = statements.found(dataset.id.hex, _query(dataset, query), filter, scored=False).ids
        each = Sql("SELECT v.record_id, v.value FROM vectors v WHERE v.vector_settings_id = ? AND v.record_id <> ?")
        asked = each._replace(values=(vector_settings.id.hex, record.id.hex if record else ""))
        found = await self._rows(asked + "AND v.record_id IN (" + ids + ")")
        sign = -1.0 if order == SimilarityOrder.least_similar else 1.0
        hits = vectors.most_similar(target, found, sign, threshold, max_results)
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


@contextmanager
def _said_plainly() -> Iterator[None]:
    """What cannot be asked becomes an answer 422 with the reason, instead of a 500."""
    try:
        yield
    except ValueError as error:
        raise UnprocessableEntityError(str(error)) from None


def _query(dataset: Any, query: Any) -> statements.Query | None:
    if query is None:
        return None
    asked, field = (query, None) if isinstance(query, str) else (query.q, query.field)
    return statements.Query(asked, field, tuple(f.name for f in dataset.fields if not f.is_image))


def _responses(hits: Sequence[tuple[Any, ...]], total: int) -> Any:
    items = [SearchResponseItem(record_id=UUID(record), score=score) for score, record in hits]
    return SearchResponses(items=items, total=total)
