"""How fast the endpoint that would serve is, and what it then costs. Grain of `Load`: one per number in flight.

These records stand in a verdict's report as they are, for whoever counts with them later:

    report["load"][0]       {"in_flight": 1, "answers": 150, "failed": 0, "seconds": 9.8,
                             "throughput_per_s": {"value": 15.3, "low": 14.9, "high": 15.8, "n": 150, ...},
                             "latency_p50_s": {...}, "latency_p95_s": {...}, "latency_p99_s": {...}, ...}
    report["student_cost"]  {"price_per_hour": 0.9, "throughput_per_s": 15.3, "in_flight": 4, "monthly_requests": 90000,
                             "volume": "given", "machines": 1, "utilisation": 0.002, "at_full_use_usd": {...},
                             "per_1000_usd": {...}}; null without a load

Latencies are of calls that were answered, warm. Throughput is answers by wall time; its interval follows from that of
the mean latency by Little's law (1961, Operations Research 9:383): answers a second = in flight / mean latency. Calls
of one level wait for each other, so under load it is a little too narrow. A bound that few calls cannot give is null.
"""

import math
from collections.abc import Sequence
from datetime import datetime

from evaluation.interval import Estimate, mean, quantile
from records.types import Record

HOURS_A_MONTH = 730.5
_SECONDS_A_MONTH = 3600 * HOURS_A_MONTH


class Load(Record):
    """What came of asking with so many requests in flight. `latencies_s`: of each answer, in the order they came."""

    in_flight: int
    answers: int
    failed: int
    seconds: float
    throughput_per_s: Estimate
    latency_p50_s: Estimate
    latency_p95_s: Estimate
    latency_p99_s: Estimate
    latencies_s: list[float]


class LoadRun(Record):
    """One measurement of the endpoint, as a verdict tells of it. `latency_p95_s`: with one request in flight;
    `reason`, `by`: why it was made again and who wanted it, empty for a first one.
    """

    id: str
    made_at: datetime
    latency_p95_s: Estimate | None
    reason: str
    by: str


class StudentCost(Record):
    """US dollars of the student's machines. `volume`: where `monthly_requests` comes from (given, traffic, or empty).

    `utilisation`: the share of the machines' throughput that the mean hour of this volume takes; peaks need more
    machines than the mean does. `at_full_use_usd`: per 1,000 answers of a machine that is never idle; `per_1000_usd`:
    at this volume, idle hours paid; the same where no volume is known.
    """

    price_per_hour: float
    throughput_per_s: float
    in_flight: int
    monthly_requests: float | None
    volume: str
    machines: int
    utilisation: float | None
    at_full_use_usd: Estimate
    per_1000_usd: Estimate


def load_of(in_flight: int, latencies_s: Sequence[float], failed: int, seconds: float, confidence: float) -> Load:
    """The figures of one level. `seconds`: wall time from its first call to its last answer."""
    within = mean(latencies_s, confidence)
    bounds = {"low": _over(in_flight, within.high), "high": _over(in_flight, within.low)}
    rate = Estimate(value=len(latencies_s) / seconds if seconds else None, **bounds, n=within.n, confidence=confidence)
    return Load(
        in_flight=in_flight,
        answers=len(latencies_s),
        failed=failed,
        seconds=round(seconds, 3),
        throughput_per_s=_holding(rate),
        latency_p50_s=quantile(latencies_s, 0.50, confidence),
        latency_p95_s=quantile(latencies_s, 0.95, confidence),
        latency_p99_s=quantile(latencies_s, 0.99, confidence),
        latencies_s=[round(x, 5) for x in latencies_s],
    )


def student_cost(
    loads: Sequence[Load], price_per_hour: float, monthly_requests: float | None, volume: str
) -> StudentCost | None:
    """What the student costs at the level with the best throughput; None where nothing was answered."""
    able = [one for one in loads if one.throughput_per_s.value]
    if not able:
        return None
    best = max(able, key=lambda one: one.throughput_per_s.value or 0.0)
    rate = best.throughput_per_s
    wanted = (monthly_requests or 0.0) / _SECONDS_A_MONTH
    machines = max(1, math.ceil(wanted / (rate.value or 1.0)))
    full = Estimate(
        value=_per_1000(price_per_hour, rate.value),
        low=_per_1000(price_per_hour, rate.high),
        high=_per_1000(price_per_hour, rate.low),
        n=rate.n,
        confidence=rate.confidence,
    )
    at_volume = machines * price_per_hour * HOURS_A_MONTH / monthly_requests * 1000 if monthly_requests else None
    idle = full.model_copy(update={"value": at_volume, "low": None, "high": None})
    return StudentCost(
        price_per_hour=price_per_hour,
        throughput_per_s=rate.value or 0.0,
        in_flight=best.in_flight,
        monthly_requests=monthly_requests,
        volume=volume if monthly_requests else "",
        machines=machines,
        utilisation=wanted / (machines * (rate.value or 1.0)) if monthly_requests else None,
        at_full_use_usd=full,
        per_1000_usd=idle if monthly_requests else full,
    )


def _per_1000(price_per_hour: float, rate: float | None) -> float | None:
    return price_per_hour / 3600 / rate * 1000 if rate else None


def _over(in_flight: int, seconds: float | None) -> float | None:
    return in_flight / seconds if seconds else None


def _holding(rate: Estimate) -> Estimate:
    """The interval with its value inside: the last answers of a level come while fewer are in flight."""
    if rate.value is None or rate.low is None or rate.high is None:
        return rate
    return rate.model_copy(update={"low": min(rate.low, rate.value), "high": max(rate.high, rate.value)})
