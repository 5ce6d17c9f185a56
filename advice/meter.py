"""Entries go in one by one, a report comes out: memory is bounded by days and sketches, not by lines.

    meter = Meter("logs.jsonl")
    for entry in entries:
        meter.add(entry)
    meter.report().tasks[0].monthly.value

A task costs about 4 MB at most (`Distinct` of its inputs), and 30 tasks are told apart; what comes after is counted
together, so that a log whose tasks are all different does not fill the memory.
"""

from collections import Counter
from datetime import UTC, date, datetime

from advice.entries import Entry
from advice.measured import BadLine, Measured, Range, Report
from advice.sketches import Distinct, Quantiles
from advice.trend import daily_rate, growth, peak_to_mean, weekdays

MOST_TASKS, MOST_REASONS, EXAMPLES, MOST_MODELS = 30, 50, 5, 5
UNNAMED = "(no task named)"
MONTH_DAYS = 30.44
_HOUR, _DAY = 3600, 86_400


class _Tally:
    """One task's counts and sketches."""

    def __init__(self) -> None:
        self.n, self.failed, self.first, self.last = 0, 0, float("inf"), float("-inf")
        self.hours: Counter[int] = Counter()
        self.models: Counter[str] = Counter()
        self.inputs, self.inputs_known = Distinct(), 0
        self.sent, self.said, self.cost, self.latency = Quantiles(), Quantiles(), Quantiles(), Quantiles()

    def add(self, entry: Entry) -> None:
        self.n += 1
        self.failed += entry.failed
        if entry.at < self.first:
            self.first = entry.at
        if entry.at > self.last:
            self.last = entry.at
        self.hours[int(entry.at) // _HOUR] += 1
        if entry.model and (entry.model in self.models or len(self.models) < 1000):
            self.models[entry.model[:100]] += 1
        if entry.digest is not None:
            self.inputs_known += 1
            self.inputs.add(entry.digest)
        if entry.prompt_tokens is not None:
            self.sent.add(entry.prompt_tokens)
        if entry.completion_tokens is not None:
            self.said.add(entry.completion_tokens)
        if entry.cost_usd is not None:
            self.cost.add(entry.cost_usd)
        if entry.latency_s is not None and not entry.failed:
            self.latency.add(entry.latency_s)


class Meter:
    """Counts a log. `sampled`: the share of requests that it holds."""

    def __init__(self, source: str, sampled: float = 1.0, only: str | None = None) -> None:
        """`only`: the one task that is asked for; entries that name none are taken for its own."""
        self._source, self._sampled, self._only = source, sampled, only
        self._tallies: dict[str, _Tally] = {}
        self._reasons: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._examples: list[BadLine] = []
        self.lines = self.bad = self._others = 0

    def add(self, entry: Entry) -> None:
        """Count a request."""
        self.lines += 1
        task = entry.task or self._only or UNNAMED
        if self._only is not None and task != self._only:
            self._left_out[f"of other tasks than {self._only}"] += 1
            return
        tally = self._tallies.get(task)
        if tally is None:
            if len(self._tallies) >= MOST_TASKS:
                self._others += 1
                return
            tally = self._tallies[task] = _Tally()
        tally.add(entry)

    def fault(self, place: str, reason: str) -> None:
        """Count a line that could not be read."""
        self.lines += 1
        self.bad += 1
        if reason in self._reasons or len(self._reasons) < MOST_REASONS:
            self._reasons[reason] += 1
        if len(self._examples) < EXAMPLES:
            self._examples.append(BadLine(place=place, reason=reason[:200]))

    def leave_out(self, kind: str) -> None:
        """Count a line that is no request by its kind."""
        self.lines += 1
        if kind in self._left_out or len(self._left_out) < MOST_REASONS:
            self._left_out[kind] += 1

    def report(self) -> Report:
        """What was counted, the busiest task first."""
        found = sorted(self._tallies.items(), key=lambda pair: -pair[1].n)
        return Report(
            source=self._source,
            lines=self.lines,
            tasks=[_measured(name, tally, self._sampled) for name, tally in found],
            bad=self.bad,
            reasons=dict(self._reasons.most_common(10)),
            examples=self._examples,
            left_out=dict(self._left_out.most_common(10)),
            others=self._others,
        )


def _measured(task: str, tally: _Tally, sampled: float) -> Measured:
    covered = max(1.0, (tally.last - tally.first) / _DAY)
    counts = _by_day(tally)
    daily = daily_rate(counts, covered, tally.n, sampled)
    month = {end: None if (x := getattr(daily, end)) is None else x * MONTH_DAYS for end in ("low", "high")}
    return Measured(
        task=task,
        requests=tally.n,
        first_day=_day(tally.first),
        last_day=_day(tally.last),
        days_covered=covered,
        daily=daily,
        monthly=Range(value=daily.value * MONTH_DAYS, n=daily.n, **month),
        growth=growth(counts),
        weekdays=[x / sampled for x in weekdays(counts)],
        peak_to_mean=peak_to_mean(tally.hours, tally.n, covered),
        prompt_tokens=_of(tally.sent, 0.5, mean=True),
        completion_tokens=_of(tally.said, 0.5, mean=True),
        cost_usd=_of(tally.cost, 0.5, mean=True),
        latency_p50_s=_of(tally.latency, 0.5),
        latency_p95_s=_of(tally.latency, 0.95),
        latency_p99_s=_of(tally.latency, 0.99),
        failed=tally.failed,
        repeated=_repeated(tally),
        inputs_known=tally.inputs_known,
        models=dict(tally.models.most_common(MOST_MODELS)),
        sampled=sampled,
    )


def _by_day(tally: _Tally) -> list[tuple[date, int]]:
    """Requests of every day from the first to the last, those without any too."""
    days: Counter[int] = Counter()
    for hour, n in tally.hours.items():
        days[hour // 24] += n
    return [(_day(day * _DAY), days[day]) for day in range(min(days), max(days) + 1)]


def _day(at: float) -> date:
    return datetime.fromtimestamp(at, UTC).date()


def _of(sketch: Quantiles, q: float, mean: bool = False) -> Range | None:
    """A quantile with its interval; or the mean with the interval of a mean."""
    if not sketch.n:
        return None
    if mean:
        value, half = sketch.mean or 0.0, sketch.half_width()
        ends = (None, None) if half is None else (max(0.0, value - half), value + half)
        return Range(value=value, low=ends[0], high=ends[1], n=sketch.n)
    value, ends_ = sketch.at(q) or 0.0, sketch.between(q)
    low, high = ends_ if ends_ else (None, None)
    return Range(value=value, low=low, high=high, n=sketch.n)


def _repeated(tally: _Tally) -> Range | None:
    """The share of inputs that came before, with the sketch's error (1.645 standard errors: 90 %)."""
    n = tally.inputs_known
    if not n:
        return None

    def share(distinct: float) -> float:
        return min(1.0, max(0.0, 1 - distinct / n))

    count, off = tally.inputs.count, 1.645 * tally.inputs.error
    return Range(value=share(count), low=share(count * (1 + off)), high=share(count * (1 - off)), n=n)
