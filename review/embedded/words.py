"""A text query's tree as SQL on the word index (see `index`): which records match, and how well.

A word may stand in any field, and two words in two fields; a phrase stands in one. The score is BM25 as SQLite computes
it (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75), summed over a record's fields. In all statements `r` is the row
of `records`.
"""

import json
from collections.abc import Sequence

from review.embedded.filters import Sql, joined
from review.embedded.text import Every, Node, Not, Some, Words, leaves

_PARTS = "FROM search_words JOIN search_part p ON p.id = search_words.rowid WHERE search_words MATCH ?"


def matching(node: Node | None, names: Sequence[str], field: str | None) -> Sql:
    """The condition that a record matches. `names`: the fields with text; `field`: the only one to look in, or None."""
    if node is None:
        return Sql("0")
    if isinstance(node, Words):
        return _has(node, names, field)
    if isinstance(node, Not):
        return Sql("NOT") + matching(node.part, names, field)
    glue = " AND " if isinstance(node, Every) else " OR "
    return Sql("(") + joined(glue, [matching(part, names, field) for part in node.parts]) + ")"


def expression(node: Node) -> str | None:
    """The whole query in FTS5's own language, for one field; None where that cannot say it.

    It cannot exclude from everything, and it cannot look inside words that have no spaces between them.
    """
    if isinstance(node, Words):
        return None if node.is_unspaced else _phrase(node)
    if isinstance(node, Not):
        return None
    wanted = [expression(part) for part in node.parts if not isinstance(part, Not)]
    excluded = [expression(part.part) for part in node.parts if isinstance(part, Not)]
    if not wanted or None in (*wanted, *excluded) or (excluded and isinstance(node, Some)):
        return None
    said = "(" + (" AND " if isinstance(node, Every) else " OR ").join(filter(None, wanted)) + ")"
    for one in filter(None, excluded):
        said = f"({said} NOT {one})"
    return said


def any_of(node: Node) -> str:
    """In FTS5's language: any word of the query, as far as a match may have it."""
    return " OR ".join(_phrase(words) for words in leaves(node)) or '""'


def ids(words: str, field: str | None) -> Sql:
    """A statement that gives the ids of the records that match an FTS5 expression."""
    return Sql("SELECT p.record_id") + _found(words, field)


def scores(words: str, field: str | None) -> Sql:
    """A statement that gives (id, score) of the records that match an FTS5 expression; more is better."""
    each = Sql("SELECT p.record_id AS id, -bm25(search_words) AS score") + _found(words, field)
    if field:
        return each
    return Sql("SELECT id, sum(score) AS score FROM (") + each + "LIMIT -1) GROUP BY id"  # LIMIT: bm25 within no sum


def _has(words: Words, names: Sequence[str], field: str | None) -> Sql:
    if words.is_unspaced:
        return Sql("text_occurs(r.fields, ?, ?)", (words.text, json.dumps([field] if field else list(names))))
    return Sql("r.id IN (") + ids(_phrase(words), field) + ")"


def _found(words: str, field: str | None) -> Sql:
    return Sql(_PARTS, (words,)) + (Sql("AND p.field = ?", (field,)) if field else "")


def _phrase(words: Words) -> str:
    """In FTS5's own language; it cuts what stands in quotes into words itself."""
    return '"{}"{}'.format(words.text.replace('"', '""'), " *" if words.prefix else "")
