"""When is a field of an object right? By how the task says it is compared, else by what its schema says it is.

    exact        the same JSON value
    normalised   the same words: case, accents' form, white space and outer punctuation do not count
    number       within `tolerance`, or within the share `relative` of gold, whichever is wider
    date         at most `days` apart; ISO dates and the common written forms
    set          the same members, in any order; besides, how much two sets share: F1 of their members

    {"party": Comparison(how="normalised"), "amount": Comparison(how="number", relative=0.01)}

A value that is not of its kind (a date that is none) is compared by its words, never taken for right.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field

from records.types import Record

How = Literal["exact", "normalised", "number", "date", "set"]
_DATES = ("%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%B %d %Y", "%Y/%m/%d", "%d.%m.%Y")
"""No form with slashes that puts the year last: 03/04/2026 is two dates."""
_ROUNDING = 1e-9


class Comparison(Record):
    """How one field is compared. `tolerance` in the field's unit, `relative` as a share of gold, `days` of a date."""

    how: How = "exact"
    tolerance: float = Field(default=0.0, ge=0)
    relative: float = Field(default=0.0, ge=0)
    days: int = Field(default=0, ge=0)


EXACT = Comparison()


def comparisons(schema: Mapping[str, Any], said: Mapping[str, Mapping[str, Any]]) -> dict[str, Comparison]:
    """How each top-level field of a JSON Schema is compared: as `said`, else by its type and format."""
    found = {name: by_schema(one) for name, one in (schema.get("properties") or {}).items() if isinstance(one, dict)}
    return {**found, **{name: Comparison.model_validate(dict(one)) for name, one in said.items()}}


def by_schema(schema: Mapping[str, Any]) -> Comparison:
    """Numbers as numbers, dates as dates, unique lists as sets, free text by its words, all else exactly."""
    kind = schema.get("type")
    kinds = [k for k in (kind if isinstance(kind, list) else [kind]) if k != "null"]
    if kinds in (["number"], ["integer"]):
        return Comparison(how="number")
    if kinds == ["array"]:
        return Comparison(how="set" if schema.get("uniqueItems") is True else "exact")
    if kinds != ["string"] or "enum" in schema or "const" in schema:
        return EXACT
    return Comparison(how="date" if schema.get("format") in ("date", "date-time") else "normalised")


def same(one: Any, other: Any) -> bool:
    """JSON equality: 1 equals 1.0, but `true` is not 1; the order of keys plays no part, that of a list does."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def is_right(by: Comparison, answer: Any, gold: Any) -> bool:
    """Whether a field's value is right."""
    if same(answer, gold):
        return True
    if by.how == "normalised":
        return _alike(answer, gold)
    if by.how == "number":
        return _near(by, answer, gold)
    if by.how == "date":
        return _days(by, answer, gold)
    return by.how == "set" and set_f1(answer, gold) == 1.0


def set_f1(answer: Any, gold: Any) -> float:
    """F1 of the members that two lists share, by their words: 2 |both| / (|answer| + |gold|). Two empty ones: 1."""
    if not isinstance(answer, list) or not isinstance(gold, list):
        return 0.0
    ours, theirs = _members(answer), _members(gold)
    return 2 * len(ours & theirs) / (len(ours) + len(theirs)) if ours or theirs else 1.0


def words(text: str) -> str:
    """A text as it is compared: case-folded, NFKC, single spaces, no punctuation around it."""
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return folded.strip(" .,;:!?\"'()[]") or folded


def _members(values: Sequence[Any]) -> set[str]:
    return {words(v) if isinstance(v, str) else json.dumps(v, sort_keys=True) for v in values}


def _alike(answer: Any, gold: Any) -> bool:
    return isinstance(answer, str) and isinstance(gold, str) and words(answer) == words(gold)


def _near(by: Comparison, answer: Any, gold: Any) -> bool:
    a, b = _number(answer), _number(gold)
    if a is None or b is None:
        return _alike(answer, gold)
    return abs(a - b) <= max(by.tolerance, by.relative * abs(b), _ROUNDING * abs(b))


def _number(value: Any) -> float | None:
    """1250, "1,250.00" and "$ 1250"; None for what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(str(value).strip().strip("$€£% ").replace(",", ""))
    except ValueError:
        return None
    return found if abs(found) < float("inf") else None


def _days(by: Comparison, answer: Any, gold: Any) -> bool:
    a, b = _date(answer), _date(gold)
    return abs((a - b).days) <= by.days if a and b else _alike(answer, gold)


def _date(value: Any) -> date | None:
    if not isinstance(value, str):
        return None
    text = " ".join(value.split())
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        pass
    for form in _DATES:
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    return None
