"""A reading of logs as Markdown, for a terminal and Prefect alike. Names of tasks and models are strangers' texts."""

from advice.measured import DAYS, WANTED_DAYS, Measured, Range, Report
from advice.wording import number, said


def markdown(report: Report) -> str:
    """Each task as a list of figures, then the lines that could not be read."""
    parts = [_task(one) for one in report.tasks] or [f"No request was found in {plain(report.source)}."]
    if report.others:
        parts.append(f"- {number(report.others)} requests of further tasks are not told apart")
    for kind, n in report.left_out.items():
        parts.append(f"- {number(n)} lines left out: {plain(kind)}")
    return "\n".join([*parts, *_bad(report)])


def _task(one: Measured) -> str:
    days = number(round(one.days_covered, 1))
    lines = [
        f"**{plain(one.task)}**: {number(one.requests)} requests, {one.first_day} to {one.last_day} ({days} days)",
        "",
    ]
    if one.days_covered < WANTED_DAYS:
        more = number(max(1, round(WANTED_DAYS - one.days_covered)))
        lines.append(f"- {days} days are covered; 60 to 90 are wanted: go on for {more} more before you decide")
    if one.sampled < 1:
        lines.append(f"- the log holds {said(one.sampled, 'share')} of the requests; counts are scaled by it")
    lines += [f"- a day {_range(one.daily)}; a month {_range(one.monthly)}", f"- trend: {_growth(one.growth)}"]
    if one.weekdays:
        lines.append(
            "- weekdays: " + ", ".join(f"{d} {number(round(x))}" for d, x in zip(DAYS, one.weekdays, strict=True))
        )
    if one.peak_to_mean:
        lines.append(f"- the busiest hour has {one.peak_to_mean:.1f} times the mean hour's requests")
    lines.append(f"- tokens a request: {_range(one.prompt_tokens)} in, {_range(one.completion_tokens)} out")
    cost = one.cost_usd
    month = f", {said(cost.value * one.monthly.value, 'USD')} a month" if cost else ""
    lines.append(f"- cost a request: {_range(cost, 'USD')}{month}")
    quantiles = (("p50", one.latency_p50_s), ("p95", one.latency_p95_s), ("p99", one.latency_p99_s))
    lines.append("- latency: " + "; ".join(f"{name} {_range(found, 's')}" for name, found in quantiles))
    failed = said(one.failed / one.requests, "share") if one.requests else "0"
    lines.append(f"- errors: {number(one.failed)} ({failed})")
    known = f" of {number(one.inputs_known)} with their input" if one.inputs_known < one.requests else ""
    lines.append(f"- repeated inputs: {_range(one.repeated, 'share')}{known} (what a cache would save)")
    models = ", ".join(f"{plain(name)} {number(n)}" for name, n in one.models.items())
    return "\n".join([*lines, f"- models: {models}"] if models else lines)


def _bad(report: Report) -> list[str]:
    if not report.bad:
        return []
    told = [f"- {number(report.bad)} of {number(report.lines)} lines could not be read:"]
    told += [f"  - {number(n)} times: {plain(reason)}" for reason, n in report.reasons.items()]
    return [*told, "  - for example " + ", ".join(plain(one.place) for one in report.examples)]


def _growth(found: Range | None) -> str:
    if found is None:
        return "not known, it wants five whole weeks"
    return f"{100 * found.value:+.1f} % a month ({100 * (found.low or 0):+.1f} to {100 * (found.high or 0):+.1f})"


def _range(found: Range | None, unit: str = "") -> str:
    if found is None:
        return "not in the log"
    value = said(found.value, unit) if unit else number(round(found.value, 1))
    if found.low is None or found.high is None or found.low == found.high:
        return value
    low, high = ((said(x, unit) if unit else number(round(x, 1))) for x in (found.low, found.high))
    return f"{value} ({low} to {high})"


def plain(text: str) -> str:
    """A stranger's text on one line, without markup or control characters, at most 120 characters."""
    kept = "".join(c if c.isprintable() else " " for c in text)
    for mark in "\\`*[]<>|#":
        kept = kept.replace(mark, f"\\{mark}")
    return " ".join(kept.split())[:120]
