"""One line of a production log becomes one entry: when, which task, what it cost, how long it took, how it ended.

Known by their fields: OpenAI-style chats, LiteLLM's spend logs (and its standard logging payload), Langfuse's
observations, what the gateway records. Any other log is read by a mapping, `{"cost": "billing.usd"}`, with dots into
nested values (objects, or JSON text, as CSV exports hold them). One real row:

    Entry(task="legal_intake", at=1795600800.0, digest=0x9f2c..., prompt_tokens=812, completion_tokens=4,
          cost_usd=0.0031, latency_s=0.94, failed=False)

What a line does not say is None, never 0. A line without a time, or with a number that cannot be, is a fault: a
sentence without the line's content, since logs hold secrets.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from advice.log_fields import FIELDS
from records.errors import InputError

_FAILED = {"failed", "failure", "error", "500", "fatal", "timeout", "refused", "unreadable"}
_EARLIEST = datetime(2015, 1, 1, tzinfo=UTC).timestamp()
_SLACK_S = 2 * 86_400.0
_MOST = {"latency": 86_400.0, "prompt_tokens": 1e8, "completion_tokens": 1e8, "cost": 1e5}
_TASK_CHARACTERS = 64
_MOST_SHAPES = 200
_Path = tuple[str, list[str]]
"""The key in the line, and the steps into what it holds."""


class Entry(NamedTuple):
    """One request. Grain: one a line of a log. `at`: seconds since 1970; `digest`: 64 bits of the input's hash."""

    task: str | None
    at: float
    digest: int | None
    prompt_tokens: float | None
    completion_tokens: float | None
    cost_usd: float | None
    latency_s: float | None
    failed: bool
    model: str | None = None


class EntryReader:
    """Reads the lines of logs."""

    def __init__(self, mapping: Mapping[str, str] | None = None, now: float | None = None) -> None:
        """`mapping`: where a field of `FIELDS` lies in this log. Raises InputError for an unknown one."""
        unknown = sorted(set(mapping or {}) - FIELDS.keys())
        if unknown:
            raise InputError(f"--map {unknown[0]}=...: no such field. Use one of {', '.join(FIELDS)}.")
        places = {name: (given,) if (given := (mapping or {}).get(name)) else FIELDS[name] for name in FIELDS}
        self._paths = {name: [_path(place) for place in found] for name, found in places.items()}
        self._shapes: dict[tuple[str, ...], dict[str, list[_Path]]] = {}
        self._found = self._paths
        self._latest = (datetime.now(UTC).timestamp() if now is None else now) + _SLACK_S
        self.maps_input = bool(self._paths["input"])

    def read(self, line: Mapping[str, Any], digest: int | None) -> Entry | str:
        """The entry, or why the line is none. `digest`: of its input, from one who knows its format."""
        self._look_at(line)
        at = _moment(self._first(line, "time"))
        if at is None:
            return "no time: none of its fields holds one that can be read (--map time=FIELD)"
        if not _EARLIEST <= at <= self._latest:
            return "its time lies outside 2015 to today"
        try:
            sent, said = self._number(line, "prompt_tokens"), self._number(line, "completion_tokens")
            cost, latency = self._number(line, "cost"), self._latency(line, at)
        except ValueError as fault:
            return str(fault)
        task, model = self._first(line, "task"), self._first(line, "model")
        named = str(task)[:_TASK_CHARACTERS] if isinstance(task, str | int) and str(task).strip() else None
        return Entry(named, at, digest, sent, said, cost, latency, self._failed(line), str(model) if model else None)

    def input_of(self, line: Mapping[str, Any]) -> str | None:
        """What was asked, where the mapping says so."""
        self._look_at(line)
        found = self._first(line, "input")
        return None if found is None else found if isinstance(found, str) else json.dumps(found, sort_keys=True)

    def _first(self, line: Mapping[str, Any], name: str) -> Any:
        for head, steps in self._found[name]:
            value = line.get(head)
            for step in steps:
                if value is None:
                    break
                value = _opened(value).get(step)
            if value is not None and value != "":
                return value
        return None

    def _look_at(self, line: Mapping[str, Any]) -> None:
        """Keep to the places that this line's keys allow; lines of a log are alike, so this is done once for most."""
        keys = tuple(line)
        found = self._shapes.get(keys)
        if found is None:
            if len(self._shapes) >= _MOST_SHAPES:
                self._shapes.clear()
            found = {name: [path for path in paths if path[0] in line] for name, paths in self._paths.items()}
            self._shapes[keys] = found
        self._found = found

    def _number(self, line: Mapping[str, Any], name: str) -> float | None:
        value = self._first(line, name)
        if value is None or isinstance(value, bool | dict | list):
            return None
        try:
            number = float(value)
        except (ValueError, TypeError, OverflowError):
            raise ValueError(f"its {name} is no number") from None
        most = _MOST.get(name, 1e8)
        if not math.isfinite(number) or not 0 <= number <= most:
            raise ValueError(f"its {name} lies outside 0 to {most:g}")
        return number

    def _latency(self, line: Mapping[str, Any], at: float) -> float | None:
        """Milliseconds by their name, else the end less the beginning, else a number in seconds."""
        thousandths = self._number(line, "latency_ms")
        if thousandths is not None:
            return thousandths / 1000
        end = _moment(self._first(line, "end"))
        if end is not None and 0 <= end - at <= _MOST["latency"]:
            return end - at
        return self._number(line, "latency")

    def _failed(self, line: Mapping[str, Any]) -> bool:
        status = self._first(line, "status")
        if status is not None:
            said = str(status).strip().lower()
            if said in _FAILED or (said.isdigit() and int(said) >= 400):
                return True
        return self._first(line, "error") not in (None, "", {}, [], False)


def _path(place: str) -> _Path:
    head, *steps = place.split(".")
    return head, steps


def _opened(value: Any) -> Mapping[str, Any]:
    """An object, also where it is held as JSON text; anything else has no fields."""
    if isinstance(value, dict):
        return value
    if isinstance(value, str) and value[:1] == "{":
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}
    return {}


def _moment(value: Any) -> float | None:
    """Seconds since 1970, from such, from milliseconds, or from ISO 8601 (without a zone: UTC)."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if value is None or isinstance(value, bool | dict | list):
        return None
    if isinstance(value, str) and value[4:5] == "-":
        return _written(value)
    try:
        number = float(value)
    except (ValueError, TypeError, OverflowError):
        return _written(value)
    return number / 1000 if 1e11 < number < 1e14 else number if math.isfinite(number) else None


def _written(value: Any) -> float | None:
    try:
        read = datetime.fromisoformat(str(value).strip())
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
