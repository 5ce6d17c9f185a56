"""A text query's tree as SQL on the word index (see `index`): which records match, and how well.

A word may stand in any field, and two words in two fields; a phrase stands in one. The score is BM25 as SQLite computes
it (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75), summed over a record's fields. In all statements `r` is the row
of `records`.
"""

import json
from collections.abc import Sequence

from review.embedded.filters import Sql, joined
from review.embedded.text import Every, Node, Not, Words, leaves

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


def scores(node: Node, field: str | None) -> Sql:
    """A statement that gives (id, score) of the records that have any of the words; more is better."""
    some = " OR ".join(_phrase(words) for words in leaves(node)) or '""'
    each = Sql("SELECT p.record_id AS id, -bm25(search_words) AS score") + _found(some, field)
    return Sql("SELECT id, sum(score) AS score FROM (") + each + "LIMIT -1) GROUP BY id"  # LIMIT: bm25 within no sum


def _has(words: Words, names: Sequence[str], field: str | None) -> Sql:
    if words.is_unspaced:
        return Sql("text_occurs(r.fields, ?, ?)", (words.text, json.dumps([field] if field else list(names))))
    return Sql("r.id IN (SELECT p.record_id") + _found(_phrase(words), field) + ")"


def _found(words: str, field: str | None) -> Sql:
    return Sql(_PARTS, (words,)) + (Sql("AND p.field = ?", (field,)) if field else "")


def _phrase(words: Words) -> str:
    """In FTS5's own language; it cuts what stands in quotes into words itself."""
    return '"{}"{}'.format(words.text.replace('"', '""'), " *" if words.prefix else "")
