"""An amount as a person writes it: `30000`, `30,000`, `20000 to 40000`, `88 %`, `85 to 91 %`, `180 ms`, `3-5 s`.

    read("85 to 91 %")   # (0.85, 0.91)
    read("180 ms")       # (0.18, 0.18)

One number without a range is widened by what such numbers are usually off (`SPREAD`), since nobody knows them exactly;
who does writes the range himself (`1200 to 1200`).
"""

import math
import re
from typing import Any

from advice.situation import Origin, Quantity
from records.errors import InputError

_NUMBER = r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][+-]?\d+)?"
_WRITTEN = re.compile(rf"\$?\s*({_NUMBER})\s*(?:(?:to|\.\.|-|–)\s*\$?\s*({_NUMBER}))?\s*(%|ms|s)?")
_FACTOR = {"%": 0.01, "ms": 0.001, "s": 1.0, "": 1.0}
SPREAD = {
    "monthly_requests": 0.2,
    "teacher_cost": 0.2,
    "teacher_p95_s": 0.2,
    "student_p95_s": 0.2,
    "prompt_tokens": 0.2,
    "completion_tokens": 0.2,
    "student_throughput": 0.3,
    "peak_to_mean": 0.3,
    "machine_price": 0.1,
    "endpoint_price": 0.1,
    "hosted_cost": 0.1,
    "engineering_cost": 0.2,
    "labels_needed": 0.2,
    "label_cost": 0.2,
    "training_cost": 0.2,
    "retrain_every_months": 0.2,
    "monitoring_cost": 0.2,
    "repeated_share": 0.2,
    "batchable_share": 0.2,
}
"""Share by which a number without a range may be off, either way. What is not here is taken as it is written."""
POINTS = {"teacher_accuracy": 0.03, "student_accuracy": 0.03, "growth": 0.01}
"""The same in absolute terms."""


def written(value: Any) -> Any:
    """What YAML or JSON hold as a person would have written it: 3 -> "3", [2, 4] -> "2 to 4", None -> ""."""
    if value is None:
        return ""
    if isinstance(value, list | tuple) and len(value) == 2:
        return f"{value[0]} to {value[1]}"
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def read(text: str) -> tuple[float, float] | None:
    """The two ends; None of an empty text. Raises ValueError that says what can be written."""
    if not text.strip():
        return None
    found = _WRITTEN.fullmatch(text.strip())
    if not found or len(text) > 60:
        raise ValueError(f"{text[:40]!r} is no amount: write 30000, 20000 to 40000, 88 % or 180 ms")
    first, second, unit = found.groups()
    low = float(first.replace(",", "")) * _FACTOR[unit or ""]
    high = low if second is None else float(second.replace(",", "")) * _FACTOR[unit or ""]
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(f"{text[:40]!r}: the first number of a range is the smaller one, and both are finite")
    return low, high


def quantity(name: str, text: str, unit: str, least: float, most: float) -> Quantity | None:
    """A given amount as a quantity; None of an empty text. Raises InputError outside `least` to `most`."""
    ends = read(text)
    if ends is None:
        return None
    low, high = ends
    alone = _WRITTEN.fullmatch(text.strip())[2] is None  # type: ignore[index]
    if low < least or high > most:
        raise InputError(f"{name}: {text} lies outside {least:g} to {most:g} ({unit}). Correct it.")
    value, source = (low + high) / 2, "given"
    if alone and (name in SPREAD or name in POINTS):
        off = POINTS.get(name) or SPREAD[name] * abs(value)
        low, high = max(least, value - off), min(most, value + off)
        source = f"given, taken to be right within {_off(name)}"
    return Quantity(value=value, low=low, high=high, unit=unit, origin=Origin.given, source=source)


def _off(name: str) -> str:
    return f"{100 * POINTS[name]:g} points" if name in POINTS else f"{100 * SPREAD[name]:g} %"
