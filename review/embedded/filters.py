"""Argilla's filters and sort orders as SQL on Argilla's own tables.

What a filter means is taken from Argilla's Elasticsearch engine (`search_engine/commons.py`): a list holds when one of
its values does, numbers compare as numbers and words as words, and of several values the smallest sorts upwards, the
largest downwards. Every value is bound, never written into the statement; column names come from fixed sets. In all
statements `r` is the row of `records`. Ids are 32 hexadecimal digits, JSON columns text, times naive UTC text.
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from argilla_server.search_engine.base import (
    AndFilter,
    MetadataFilterScope,
    RecordFilterScope,
    ResponseFilterScope,
    SuggestionFilterScope,
    TermsFilter,
)

from review.embedded.moments import bounds

_RECORD_COLUMNS = frozenset({"id", "external_id", "inserted_at", "updated_at", "status"})
_SUGGESTION_COLUMNS = frozenset({"value", "score", "agent", "type"})
_QUESTION = "s.record_id = r.id AND s.question_id = (SELECT id FROM questions WHERE dataset_id = ? AND name = ?)"


class Sql(NamedTuple):
    """A piece of a statement with `?` places, and the values for them in order."""

    text: str
    values: tuple[Any, ...] = ()

    def __add__(self, other: "Sql | str") -> "Sql":  # type: ignore[override]
        """This piece followed by another, with a space between."""
        text, values = (other, ()) if isinstance(other, str) else other
        return Sql(f"{self.text} {text}".strip(), self.values + values)


def joined(glue: str, parts: Iterable[Sql]) -> Sql:
    """Pieces with `glue` between them."""
    pieces = list(parts)
    return Sql(glue.join(p.text for p in pieces), tuple(v for p in pieces for v in p.values))


def where(node: Any, dataset: str) -> Sql:
    """The condition of a filter on a dataset's records. Raises ValueError for a scope that Argilla 2.8 has not."""
    if isinstance(node, AndFilter):
        return joined(" AND ", [Sql("1"), *(where(f, dataset) for f in node.filters)])
    if isinstance(node.scope, RecordFilterScope):
        return _on_record(node, _plain(node.scope.property))
    if isinstance(node.scope, MetadataFilterScope):
        return _on_metadata(node)
    if isinstance(node.scope, SuggestionFilterScope):
        return _on_suggestion(node, dataset)
    if isinstance(node.scope, ResponseFilterScope):
        return _on_response(node)
    raise ValueError(f"cannot filter by {node.scope!r}")


def order_by(order: Any, dataset: str) -> Sql:
    """One sort key with its direction; records without the value come last."""
    falling = _plain(order.order) == "desc"
    return _sort_key(order.scope, "max" if falling else "min", dataset) + f"{'DESC' if falling else 'ASC'} NULLS LAST"


def _on_record(node: Any, column: str) -> Sql:
    if column not in _RECORD_COLUMNS:
        raise ValueError(f"records have no property {column!r}")
    if column == "id" and isinstance(node, TermsFilter):
        ids = [str(v).replace("-", "").lower() for v in node.values]
        return Sql(f"r.id IN ({_places(ids)})", tuple(ids))
    if column.endswith("_at"):
        return _at(node, f"r.{column}")
    return _compare(node, f"r.{column}")


def _at(node: Any, column: str) -> Sql:
    if isinstance(node, TermsFilter):
        ways = [Sql(f"{column} BETWEEN ? AND ?", bounds(value)) for value in node.values]
        return Sql("(") + joined(" OR ", ways or [Sql("0")]) + ")"
    low, high = None if node.ge is None else bounds(node.ge)[0], None if node.le is None else bounds(node.le)[1]
    return _between(column, low, high)


def _on_metadata(node: Any) -> Sql:
    each = Sql("EXISTS (SELECT 1 FROM json_each(r.metadata, ?) j WHERE", (_path(node.scope.metadata_property),))
    return each + _compare(node, "j.value") + ")"


def _on_suggestion(node: Any, dataset: str) -> Sql:
    column = _suggestion_column(node.scope)
    unfold = f", json_each(s.{column}) j" if column in ("value", "score") else ""
    compared = "j.value" if unfold else f"s.{column}"
    one = f"EXISTS (SELECT 1 FROM suggestions s{unfold} WHERE {_QUESTION} AND"
    return Sql(one, (dataset, node.scope.question)) + _compare(node, compared) + ")"


def _on_response(node: Any) -> Sql:
    if node.scope.question:
        each = Sql('FROM responses p, json_each(p."values", ?) j', (_path(node.scope.question, "value"),))
        return Sql("EXISTS (SELECT 1") + each + _of_record(node.scope) + "AND" + _compare(node, "j.value") + ")"
    if _plain(node.scope.property) != "status" or not isinstance(node, TermsFilter):
        raise ValueError(f"cannot filter responses by {node.scope.property!r}")
    return _response_status(node.scope, [_plain(v) for v in node.values])


def _response_status(scope: Any, statuses: list[str]) -> Sql:
    """`pending` is no state of a response but its absence (of this user, or of anybody)."""
    mine = Sql("EXISTS (SELECT 1 FROM responses p") + _of_record(scope)
    if not statuses:
        return mine + ")" if scope.user else Sql("1")
    given = [s for s in statuses if s != "pending"]
    ways = [Sql("0")]
    if "pending" in statuses:
        ways.append(Sql("NOT") + mine + ")")
    if given:
        ways.append(mine + Sql(f"AND p.status IN ({_places(given)}))", tuple(given)))
    return Sql("(") + joined(" OR ", ways) + ")"


def _of_record(scope: Any) -> Sql:
    if scope.user:
        return Sql("WHERE p.record_id = r.id AND p.user_id = ?", (scope.user.id.hex,))
    return Sql("WHERE p.record_id = r.id")


def _compare(node: Any, value: str) -> Sql:
    """Words against words, numbers against numbers; SQLite alone would hold any word for more than any number."""
    is_number, is_text = f"typeof({value}) IN ('integer', 'real')", f"typeof({value}) = 'text'"
    ways = []
    if isinstance(node, TermsFilter):
        terms = tuple(_plain(v) for v in node.values)
        numbers = tuple(n for n in map(_number, terms) if n is not None)
        ways.append(Sql(f"{is_text} AND {value} IN ({_places(terms)})", terms))
        if numbers:
            ways.append(Sql(f"{is_number} AND {value} IN ({_places(numbers)})", numbers))
    else:
        given = [v for v in (node.ge, node.le) if v is not None]
        if all(isinstance(v, str) for v in given):
            ways.append(Sql(f"{is_text} AND") + _between(value, node.ge, node.le))
        if all(_number(v) is not None for v in given):
            low, high = (None if v is None else _number(v) for v in (node.ge, node.le))
            ways.append(Sql(f"{is_number} AND") + _between(value, low, high))
    return Sql("(") + joined(" OR ", [Sql("(") + way + ")" for way in ways] or [Sql("0")]) + ")"


def _number(value: Any) -> int | float | None:
    """A number that this is or spells, else None."""
    for kind in (int, float):
        try:
            number = value if isinstance(value, int | float) else kind(str(value))
        except ValueError:
            continue
        return number if math.isfinite(number) else None
    return None


def _between(value: str, low: Any, high: Any) -> Sql:
    limits = [(">=", low), ("<=", high)]
    kept = [Sql(f"{value} {sign} ?", (limit,)) for sign, limit in limits if limit is not None]
    return joined(" AND ", kept or [Sql("1")])


def _sort_key(scope: Any, which: str, dataset: str) -> Sql:
    """`which` of several values counts: min or max."""
    if isinstance(scope, RecordFilterScope) and _plain(scope.property) in _RECORD_COLUMNS:
        return Sql(f"r.{_plain(scope.property)}")
    if isinstance(scope, MetadataFilterScope):
        path = _path(scope.metadata_property)
        many = f"(SELECT {which}(j.value) FROM json_each(r.metadata, ?) j)"
        one = "json_extract(r.metadata, ?)"  # twice as quick, and what nearly all have
        return Sql(f"CASE json_type(r.metadata, ?) WHEN 'array' THEN {many} ELSE {one} END", (path,) * 3)
    if isinstance(scope, SuggestionFilterScope):
        return _suggestion_key(scope, which, dataset)
    if isinstance(scope, ResponseFilterScope):
        return _response_key(scope, which)
    raise ValueError(f"cannot sort by {scope!r}")


def _suggestion_key(scope: Any, which: str, dataset: str) -> Sql:
    column = _suggestion_column(scope)
    key = f"s.{column}"
    if column in ("value", "score"):
        many = f"(SELECT {which}(j.value) FROM json_each({key}) j)"
        key = f"CASE json_type({key}) WHEN 'array' THEN {many} ELSE json_extract({key}, '$') END"
    return Sql(f"(SELECT {key} FROM suggestions s WHERE {_QUESTION})", (dataset, scope.question))


def _response_key(scope: Any, which: str) -> Sql:
    """Numbers by their mean over all answers, as in Elasticsearch; labels, which it cannot sort, by first or last."""
    if not scope.question:
        return Sql(f"(SELECT {which}(p.status) FROM responses p") + _of_record(scope) + ")"
    mean = "avg(CASE WHEN typeof(j.value) IN ('integer', 'real') THEN j.value END)"
    each = Sql('FROM responses p, json_each(p."values", ?) j', (_path(scope.question, "value"),))
    return Sql(f"(SELECT coalesce({mean}, {which}(j.value))") + each + _of_record(scope) + ")"


def _suggestion_column(scope: Any) -> str:
    column = _plain(scope.property).rsplit(".", 1)[-1]
    if column not in _SUGGESTION_COLUMNS:
        raise ValueError(f"suggestions have no property {column!r}")
    return column


def _plain(value: Any) -> str:
    return str(getattr(value, "value", value))


def _places(values: Iterable[Any]) -> str:
    return ",".join("?" for _ in values)


def _path(*names: str) -> str:
    return "$" + "".join('."{}"'.format(str(name).replace('"', "")) for name in names)
