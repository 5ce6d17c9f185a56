"""Volume over time, out of requests by day: a rate with its range, growth, the weekdays, the busiest hour.

A week is the unit of the rate and of growth, since weekdays differ: from two whole weeks on the rate's range is that
of the weeks' mean (Student's t), before that of the days' mean. Growth is the Theil-Sen slope of the weeks' logarithms
with Sen's interval (Sen 1968, JASA 63:1379-1389): the median of all pairs' slopes, which a campaign or a holiday
hardly moves. Both take weeks for independent; seasons longer than the log are not seen.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from statistics import fmean, stdev

from advice.measured import Range

MONTH_WEEKS = 30.44 / 7
CONFIDENCE = 0.9
Counts = Sequence[tuple[date, int]]


def weeks(counts: Counts) -> list[int]:
    """Requests of the whole weeks, the newest last, without the first and the last day, which the log may cut."""
    whole = [n for _, n in counts[1:-1]]
    first = len(whole) % 7
    return [sum(whole[start : start + 7]) for start in range(first, len(whole), 7)]


def daily_rate(counts: Counts, covered: float, requests: int, sampled: float = 1.0) -> Range:
    """Requests a day. `covered`: days between the first and the last request, at least one.

    Below three days there is no range, for a day says nothing of the next.
    """
    value = requests / covered / sampled
    by_week = [n / 7 for n in weeks(counts)]
    whole = by_week if len(by_week) >= 2 else [float(n) for _, n in counts[1:-1]]
    if len(whole) < 2:
        return Range(value=value, n=requests)
    from scipy.stats import t

    half = float(t.ppf((1 + CONFIDENCE) / 2, len(whole) - 1)) * stdev(whole) / math.sqrt(len(whole)) / sampled
    middle = fmean(whole) / sampled
    return Range(value=value, low=max(0.0, min(value, middle - half)), high=max(value, middle + half), n=requests)


def growth(counts: Counts) -> Range | None:
    """Growth a month as a share, from five whole weeks on."""
    found = weeks(counts)
    if len(found) < 5:
        return None
    from scipy.stats import theilslopes

    slope, _, low, high = theilslopes([math.log(n + 0.5) for n in found], range(len(found)), alpha=CONFIDENCE)
    ends = sorted(math.expm1(float(x) * MONTH_WEEKS) for x in (low, slope, high))
    return Range(value=ends[1], low=ends[0], high=ends[2], n=len(found))


def weekdays(counts: Counts) -> list[float]:
    """Mean requests of a Monday to a Sunday, from two weeks on; else empty."""
    whole = counts[1:-1]
    if len(whole) < 14:
        return []
    return [fmean(n for day, n in whole if day.weekday() == weekday) for weekday in range(7)]


def peak_to_mean(hours: Mapping[int, int], requests: int, covered: float) -> float | None:
    """The busiest hour as a multiple of the mean hour, from a week on."""
    return max(hours.values()) / (requests / (24 * covered)) if covered >= 7 else None
