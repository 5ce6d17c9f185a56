"""Argilla's filters and sort orders as SQL on Argilla's own tables.

What a filter means is taken from Argilla's Elasticsearch engine (`search_engine/commons.py`). Every value is bound,
never written into the statement; column names come from fixed sets. In all statements `r` is the row of `records`.
Ids are stored as 32 hexadecimal digits, JSON columns as text, times as naive UTC text.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from argilla_server.search_engine.base import (
    AndFilter,
    MetadataFilterScope,
    RangeFilter,
    RecordFilterScope,
    ResponseFilterScope,
    SuggestionFilterScope,
    TermsFilter,
)

_RECORD_COLUMNS = frozenset({"id", "external_id", "inserted_at", "updated_at", "status"})
_SUGGESTION_COLUMNS = frozenset({"value", "score", "agent", "type"})
_SUGGESTIONS = "FROM suggestions s JOIN questions q ON q.id = s.question_id"


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


def where(node: Any) -> Sql:
    """The condition of a filter. Raises ValueError for a scope that Argilla 2.8 does not have."""
    if isinstance(node, AndFilter):
        return joined(" AND ", [Sql("1"), *(where(f) for f in node.filters)])
    if isinstance(node.scope, RecordFilterScope):
        return _on_record(node, _plain(node.scope.property))
    if isinstance(node.scope, MetadataFilterScope):
        return _on_metadata(node)
    if isinstance(node.scope, SuggestionFilterScope):
        return _on_suggestion(node)
    if isinstance(node.scope, ResponseFilterScope):
        return _on_response(node)
    raise ValueError(f"cannot filter by {node.scope!r}")


def order_by(order: Any) -> Sql:
    """One sort key with its direction; records without the value come last."""
    direction = "DESC" if _plain(order.order) == "desc" else "ASC"
    return _sort_key(order.scope) + f"{direction} NULLS LAST"


def _on_record(node: Any, column: str) -> Sql:
    if column not in _RECORD_COLUMNS:
        raise ValueError(f"records have no property {column!r}")
    if column == "id" and isinstance(node, TermsFilter):
        ids = [str(v).replace("-", "").lower() for v in node.values]
        return Sql(f"r.id IN ({_places(ids)})", tuple(ids))
    if column.endswith("_at") and isinstance(node, RangeFilter):
        return _between(f"r.{column}", _moment(node.ge), _moment(node.le))
    return _compare(node, f"r.{column}")


def _on_metadata(node: Any) -> Sql:
    each = Sql("EXISTS (SELECT 1 FROM json_each(r.metadata, ?) j WHERE", (_path(node.scope.metadata_property),))
    return each + _compare(node, "j.value") + ")"


def _on_suggestion(node: Any) -> Sql:
    column = _suggestion_column(node.scope)
    unfold = f", json_each(s.{column}) j" if column in ("value", "score") else ""
    compared = "j.value" if unfold else f"s.{column}"
    one = f"EXISTS (SELECT 1 {_SUGGESTIONS}{unfold} WHERE s.record_id = r.id AND q.name = ? AND"
    return Sql(one, (node.scope.question,)) + _compare(node, compared) + ")"


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
    if isinstance(node, TermsFilter):
        terms = tuple(_plain(v) for v in node.values)
        return Sql(f"CAST({value} AS TEXT) IN ({_places(terms)})", terms)
    return _between(value, *(None if v is None else float(v) for v in (node.ge, node.le)))


def _between(value: str, low: Any, high: Any) -> Sql:
    bounds = [(">=", low), ("<=", high)]
    kept = [Sql(f"{value} {sign} ?", (bound,)) for sign, bound in bounds if bound is not None]
    return joined(" AND ", kept or [Sql("1")])


def _sort_key(scope: Any) -> Sql:
    if isinstance(scope, RecordFilterScope) and _plain(scope.property) in _RECORD_COLUMNS:
        return Sql(f"r.{_plain(scope.property)}")
    if isinstance(scope, MetadataFilterScope):
        return Sql("json_extract(r.metadata, ?)", (_path(scope.metadata_property),))
    if isinstance(scope, SuggestionFilterScope):
        return _suggestion_key(scope)
    if isinstance(scope, ResponseFilterScope):
        return _response_key(scope)
    raise ValueError(f"cannot sort by {scope!r}")


def _suggestion_key(scope: Any) -> Sql:
    column = _suggestion_column(scope)
    keys = {"score": "(SELECT avg(j.value) FROM json_each(s.score) j)", "value": "json_extract(s.value, '$')"}
    key = keys.get(column, f"s.{column}")
    return Sql(f"(SELECT {key} {_SUGGESTIONS} WHERE s.record_id = r.id AND q.name = ?)", (scope.question,))


def _response_key(scope: Any) -> Sql:
    if not scope.question:
        return Sql("(SELECT min(p.status) FROM responses p") + _of_record(scope) + ")"
    key = Sql('(SELECT avg(json_extract(p."values", ?)) FROM responses p', (_path(scope.question, "value"),))
    return key + _of_record(scope) + ")"


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


def _moment(value: Any) -> str | None:
    """A time as Argilla stores it; numbers are milliseconds since 1970, as the UI sends them."""
    if value is None:
        return None
    if isinstance(value, int | float):
        moment = datetime.fromtimestamp(value / 1000, tz=UTC)
    else:
        moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    if moment.tzinfo:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
