"""Times in filters, as Elasticsearch reads them (`strict_date_optional_time||epoch_millis`), as Argilla stores them.

A time may stop early: 2026-11, 2026-11-25, 2026-11-25T10:30. As a lower bound it then means its first moment, as an
upper bound its last. Without a zone it is UTC. Numbers are milliseconds since 1970.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

_FORM = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](?:(\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?)?)?)?)?(Z|[+-]\d\d:?\d\d)?"
)


def bounds(value: Any) -> tuple[str, str]:
    """The first and the last moment that a time means, as SQLite has them. Raises ValueError for what is no time."""
    text = str(value)
    if isinstance(value, int | float) or re.fullmatch(r"-?\d{5,}(\.\d+)?", text):
        moment = datetime.fromtimestamp(float(text) / 1000, tz=UTC)
        return _stored(moment), _stored(moment)
    match = _FORM.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no time: write 2026-11-25, or 2026-11-25T10:30:00Z.")
    *parts, fraction, zone = match.groups()
    given = [int(part) for part in parts if part is not None]
    first = datetime(*(given + [1, 1][len(given) - 1 :] if len(given) < 3 else given))  # type: ignore[arg-type]
    first = first.replace(microsecond=int((fraction or "0").ljust(6, "0")[:6]), tzinfo=_zone(zone))
    last = first if fraction else _next(first, len(given)) - timedelta(microseconds=1)
    return _stored(first), _stored(last)


def _next(moment: datetime, parts: int) -> datetime:
    """Where the year, month, day, hour, minute or second ends that `moment` begins (1 to 6 parts)."""
    if parts == 1:
        return moment.replace(year=moment.year + 1)
    if parts == 2:
        return (moment + timedelta(days=31)).replace(day=1)
    return moment + timedelta(seconds=(86400, 3600, 60, 1)[parts - 3])


def _zone(text: str | None) -> timezone:
    if text in (None, "Z"):
        return UTC
    sign = -1 if text.startswith("-") else 1
    digits = text[1:].replace(":", "")
    return timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))


def _stored(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
