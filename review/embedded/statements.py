"""A search as SQL: a text query, a filter, an order, on one dataset; how many match, and a page of them.

Most searches read the index of records alone. A query about one field (that of a board of ours, or a named one) is
given to FTS5 whole, and the records that it names are looked up; any other is put together of what each of its words
is in. In all statements `r` is the row of `records`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from review.embedded import text, words
from review.embedded.filters import Sql, joined, order_by, where

_RECORDS = "records r INDEXED BY search_records"  # an error, not a slow answer, where there is no such index
RECORDS = f"FROM {_RECORDS}"
_BIG = 2147483647  # a prime; its squares stay within SQLite's integers


class Query(NamedTuple):
    """What is asked of the texts: the words, the only field to look in, and the fields that have text."""

    asked: str
    field: str | None
    names: tuple[str, ...]


class Found(NamedTuple):
    """What matches: how many; as (score, id) without an order; as ids alone."""

    counted: Sql
    listed: Sql
    ids: Sql


def found(dataset: str, query: Query | None, filter: Any, scored: bool) -> Found:
    """The records of a dataset that match. `scored`: best matches are asked for. Raises ValueError."""
    chosen = Sql("WHERE r.dataset_id = ?", (dataset,))
    if filter:
        chosen += Sql("AND") + where(filter, dataset)
    if query is None:
        return _found(Sql(RECORDS) + chosen, "1.0" if scored else "NULL")
    tree = text.parse(query.asked)
    field = query.field or (query.names[0] if len(query.names) == 1 else None)
    whole = words.expression(tree) if tree and field else None
    if whole:
        matching = Sql("r.id IN (") + words.ids(whole, field) + ")"
        best = Sql("FROM (") + words.scores(whole, field) + f"LIMIT -1) s CROSS JOIN {_RECORDS} ON r.id = s.id" + chosen
    else:
        matching = words.matching(tree, query.names, query.field)
        hits = words.scores(words.any_of(tree), query.field) if tree else Sql("SELECT NULL AS id, 0.0 AS score")
        best = Sql(f"{RECORDS} LEFT JOIN (") + hits + ") s ON s.id = r.id" + chosen + "AND" + matching
    plain = _found(Sql(RECORDS) + chosen + "AND" + matching, "NULL")
    return plain._replace(listed=Sql("SELECT coalesce(s.score, 0.0) AS score, r.id") + best) if scored else plain


def ordered(sort: Sequence[Any], dataset: str, by_score: bool, user: Any) -> Sql:
    """The order of a page: as asked, or the best first, or a user's own; the same each time."""
    keys = [order_by(one, dataset) for one in sort]
    if not keys and by_score:
        keys.append(Sql("1 DESC"))
    if not sort and user:
        keys.append(_own_order(UUID(str(user))))
    return Sql("ORDER BY") + joined(", ", [*keys, Sql("r.inserted_at"), Sql("r.id")])


def _own_order(user: UUID) -> Sql:
    """Each user has an order that looks random and stays, as with Elasticsearch: squares modulo a prime."""
    moved = f"((r.rowid + ?) % {_BIG})"
    return Sql(f"{moved} * {moved} % {_BIG}", (user.int % _BIG, user.int % _BIG))


def _found(source: Sql, score: str) -> Found:
    return Found(
        Sql("SELECT count(*)") + source,
        Sql(f"SELECT {score} AS score, r.id") + source,
        Sql("SELECT r.id") + source,
    )
