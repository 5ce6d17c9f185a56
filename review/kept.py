"""What is known of a document as metadata on the desk: reviewers filter by a sender and sort by a date. Pure.

| a column kept as | its property       | in Argilla | a value there                                          |
|------------------|--------------------|------------|--------------------------------------------------------|
| text             | `text_sender`      | terms      | `Anna <...`: one line, 100 characters, made harmless   |
| number           | `number_amount`    | float      | 12500.0                                                |
| date             | `date_received`    | integer    | 20240229, so that a range of days is a range           |

A name begins with its kind, so none is one of Retort's own, and a column that becomes a date gets a property beside the
one it had: Argilla changes no property's kind, and would refuse the values of before. What is no number or date has no
value here; it is told as text (`review.about`). `source` is the folder or file that a document was read from.

    values([Column("received", "date")], {"received": "2024-02-29T08:00:00Z"}, "letters")
                                                            -> {"source": "letters", "date_received": 20240229}
"""

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from review import plain

TEXT, NUMBER, DATE = "text", "number", "date"
SOURCE = "source"
_TYPES = {TEXT: "terms", NUMBER: "float", DATE: "integer"}
_LONGEST = 100
_SAFE = re.compile(r"[a-z0-9_]+")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


class Column(NamedTuple):
    """A column of the source. `kind`: text, number or date."""

    name: str
    kind: str = TEXT


def properties(columns: Iterable[Column]) -> list[dict[str, Any]]:
    """The source and the columns as Argilla's API takes a metadata property."""
    wanted = [(SOURCE, "Source", "terms"), *((name(one), plain.shown(one.name), _TYPES[one.kind]) for one in columns)]
    return [
        {"name": n, "title": title, "settings": {"type": kind}, "visible_for_annotators": True}
        for n, title, kind in wanted
    ]


def name(column: Column) -> str:
    """The property's name: lower case, digits and `_`; where that is not the column's own, with a digest of it."""
    if _SAFE.fullmatch(column.name):
        return f"{column.kind}_{column.name}"
    rest = re.sub(r"[^a-z0-9]+", "_", column.name.lower()).strip("_")
    digest = hashlib.blake2b(column.name.encode("utf-8", "replace"), digest_size=4).hexdigest()
    return f"{column.kind}_{rest}_{digest}" if rest else f"{column.kind}_{digest}"


def values(
    columns: Iterable[Column], facts: Mapping[str, str | int | float], source: str
) -> dict[str, str | int | float]:
    """A record's metadata: what is known of it by property; `facts`: by column."""
    found: dict[str, str | int | float | None] = {SOURCE: _term(source)}
    for one in columns:
        if one.name in facts:
            found[name(one)] = _READ[one.kind](facts[one.name])
    return {key: value for key, value in found.items() if value is not None}


def _term(value: str | int | float) -> str | None:
    line = " ".join(str(value).split())
    cut = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
    return plain.shown(cut) or None


def _number(value: str | int | float) -> float | None:
    """A number as JSON writes one, as a float: Argilla refuses an integer there."""
    text = str(value).strip()
    found = float(text) if _NUMBER.fullmatch(text) else math.nan
    return found if math.isfinite(found) else None


def _date(value: str | int | float) -> int | None:
    """YYYYMMDD, the day as it is written, in whatever zone."""
    try:
        found = datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    return found.year * 10_000 + found.month * 100 + found.day


_READ = {TEXT: _term, NUMBER: _number, DATE: _date}
