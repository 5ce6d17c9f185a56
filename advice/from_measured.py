"""What was measured, as the numbers of a situation: volume, growth, tokens, cost, latency, repeats, out of one reading.

    numbers(measured, "logs of 61 days")    # {"monthly_requests": Quantity(value=30540.0, ..., origin="measured"), ...}

A range that the log is too short for is put in wide (half to double), and says so.
"""

from advice.measured import Measured, Range
from advice.situation import Origin, Quantity

PEAK_OFF = 0.25
"""How far the busiest hour of one log may be from that of the next, as a share."""
_WIDE = (0.5, 2.0)
LEAST_TIMED = 20
"""Answers from which on a p95 is told at all."""


def numbers(found: Measured, source: str) -> dict[str, Quantity]:
    """The numbers that a reading has, by their names in `Situation`."""
    told = {
        "monthly_requests": _quantity(found.monthly, "requests a month", source),
        "growth": _growth(found.growth, source),
        "repeated_share": _quantity(found.repeated, "share", source, wide=False),
        "peak_to_mean": _peak(found.peak_to_mean, source),
        **asking(found, source),
    }
    return {name: quantity for name, quantity in told.items() if quantity is not None}


def asking(found: Measured, source: str) -> dict[str, Quantity]:
    """What asking the teacher takes, from a reading of its answers alone. A cost of nothing is none that is known."""
    cost = found.cost_usd if found.cost_usd and found.cost_usd.value > 0 else None
    p95 = found.latency_p95_s if found.latency_p95_s and found.latency_p95_s.n >= LEAST_TIMED else None
    sent = found.prompt_tokens if found.prompt_tokens and found.prompt_tokens.value > 0 else None
    told = {
        "teacher_cost": _quantity(cost, "USD a request", source),
        "teacher_p95_s": _quantity(p95 if p95 and p95.value > 0 else None, "s", source),
        "prompt_tokens": _quantity(sent, "tokens", source),
        "completion_tokens": _quantity(found.completion_tokens if sent else None, "tokens", source),
    }
    return {name: quantity for name, quantity in told.items() if quantity is not None}


def _quantity(found: Range | None, unit: str, source: str, wide: bool = True) -> Quantity | None:
    if found is None:
        return None
    low, high = found.low, found.high
    if low is None or high is None:
        source += "; too few for a range, so half to double is taken" if wide else ""
        low, high = (_WIDE[0] * found.value, _WIDE[1] * found.value) if wide else (found.value, found.value)
    ends = {"low": min(low, found.value), "value": found.value, "high": max(high, found.value)}
    return Quantity(**ends, unit=unit, origin=Origin.measured, source=source)


def _growth(found: Range | None, source: str) -> Quantity | None:
    """Growth as the economics take it: a trend of some weeks does not go on at more than 20 % a month for years."""
    if found is None:
        return None
    low, value, high = (max(-0.2, min(0.2, x)) for x in (found.low or 0.0, found.value, found.high or 0.0))
    cut = "; held within 20 % a month" if (low, value, high) != (found.low, found.value, found.high) else ""
    ends = {"low": min(low, value), "value": value, "high": max(high, value)}
    return Quantity(**ends, unit="share a month", origin=Origin.measured, source=source + cut)


def _peak(found: float | None, source: str) -> Quantity | None:
    if found is None:
        return None
    ends = {"low": max(1.0, found * (1 - PEAK_OFF)), "value": max(1.0, found), "high": max(1.0, found * (1 + PEAK_OFF))}
    return Quantity(**ends, unit="times", origin=Origin.measured, source=f"{source}; other weeks differ by a quarter")
