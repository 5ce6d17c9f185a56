"""How figures are said, in the gate's sentences, the report and the command line alike.

share(e)   -> "93.3 % (88.2 to 96.3)"            points(d) -> "+24.7 points (95 % interval +17.2 to +32.3)"
seconds(e) -> "96 ms (91 to 104)"                dollars(e) -> "$0.42 (0.40 to 0.44)"
"""

import json
import math

from evaluation.interval import Estimate
from evaluation.load import Load
from evaluation.reliability import Coverage, Reliability
from records.types import Answer

NOTHING = "not measured"


def percent(value: float) -> str:
    """0.933 -> 93.3 %."""
    return f"{100 * value:.1f} %"


def signed(value: float) -> str:
    """-0.02 -> −2.0 (in points)."""
    return f"{100 * value:+.1f}".replace("-", "−")


def share(estimate: Estimate | None) -> str:
    """A proportion in per cent, with its interval."""
    if estimate is None or estimate.value is None:
        return NOTHING
    if estimate.low is None or estimate.high is None:
        return percent(estimate.value)
    return f"{percent(estimate.value)} ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"


def points(estimate: Estimate) -> str:
    """A difference of proportions in percentage points, with its interval."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return NOTHING
    interval = f"{100 * estimate.confidence:g} % interval {signed(estimate.low)} to {signed(estimate.high)}"
    return f"{signed(estimate.value)} points ({interval})"


def seconds(estimate: Estimate | None) -> str:
    """A duration in milliseconds, with its interval; an open bound is said to be open."""
    if estimate is None or estimate.value is None:
        return NOTHING
    low = "?" if estimate.low is None else f"{1000 * estimate.low:,.0f}"
    high = "no upper bound" if estimate.high is None else f"{1000 * estimate.high:,.0f}"
    return f"{1000 * estimate.value:,.0f} ms ({low} to {high})"


def milliseconds(estimate: Estimate | None) -> str:
    """A duration in milliseconds without its interval."""
    return NOTHING if estimate is None or estimate.value is None else f"{1000 * estimate.value:,.0f} ms"


def money(value: float) -> str:
    """Dollars with the digits that matter: $12.30, $0.042, $0.00031."""
    return f"${value:,.2f}" if value == 0 or value >= 0.1 else f"${value:.2g}"


def dollars(estimate: Estimate | None) -> str:
    """An amount in dollars, with its interval."""
    if estimate is None or estimate.value is None:
        return "no price"
    if estimate.low is None or estimate.high is None or estimate.value == 0:
        return money(estimate.value)
    return f"{money(estimate.value)} ({money(estimate.low)} to {money(estimate.high)})"


def load(one: Load) -> str:
    """What one level of a load test found: p50, p95, p99, answers a second."""
    quantiles = (("p50", one.latency_p50_s), ("p95", one.latency_p95_s), ("p99", one.latency_p99_s))
    said = ", ".join(f"{name} {seconds(figure)}" for name, figure in quantiles)
    lost = f", {count(one.failed, 'call')} failed" if one.failed else ""
    return f"{said}, {rate(one.throughput_per_s)} answers a second{lost}"


def rate(estimate: Estimate) -> str:
    """Answers a second, with the interval."""
    if estimate.value is None:
        return NOTHING
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.1f}"
    return f"{estimate.value:.1f} ({estimate.low:.1f} to {estimate.high:.1f})"


def probability(p: float) -> str:
    """A p-value: p = 0.031, p < 0.001."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def answer(value: Answer | None) -> str:
    """An answer on one line."""
    if value is None:
        return "no answer"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def count(number: int, noun: str) -> str:
    """1 document, 2 documents."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def calibration(found: Reliability) -> str:
    """How far off the stated confidence is, beside what chance alone would make of a right one."""
    return (
        f"The confidence that it states is off by {100 * found.error:.1f} points on the mean (expected calibration "
        f"error, {count(found.answers, 'answer')}); one that is right would stay within {100 * found.by_chance:.1f}."
    )


def coverage(found: Reliability, wanted: float) -> str:
    """Which share can be trusted at the wanted precision: what was shown, or only seen, or that nothing reaches it."""
    best = found.coverage
    if best is None:
        return f"At no confidence are {percent(wanted)} of its answers right: none of them can be trusted unseen."
    said = (
        f"The surest {100 * best.share:.0f} % of the documents (confidence {threshold(best.threshold)} or more, "
        f"{best.documents:,} of {found.documents:,}) are right {_right(best)}"
    )
    if best.shown:
        return f"{said}: that is the most that is shown to be right {percent(wanted)} of the time."
    return f"{said}: too few documents to show that {percent(wanted)} are right."


def threshold(confidence: float) -> str:
    """The confidence to put down as a threshold, rounded down so that it takes in what was measured."""
    return f"{math.floor(confidence * 10_000) / 10_000:g}"


def _right(found: Coverage) -> str:
    low, high = 100 * (found.precision.low or 0.0), 100 * (found.precision.high or 0.0)
    return f"{percent(found.precision.value or 0.0)} of the time, between {low:.1f} and {high:.1f}"
