"""Production logs are measured: known formats, bad lines, trend, sketches within their errors, bounded memory."""

import json
import random
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advice.entries import Entry, EntryReader
from advice.from_measured import numbers
from advice.meter import MOST_TASKS, UNNAMED, Meter
from advice.sketches import Distinct, Quantiles
from advice.telling import markdown
from advice.trend import daily_rate, growth, weekdays, weeks
from flows.measuring import digest, measure_logs
from records import advised
from records.errors import InputError
from retort.advising import mapping_of

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
CHAT = [{"role": "system", "content": "Sort."}, {"role": "user", "content": "Where is my parcel?"}]


def lines(folder: Path, *rows: object, name: str = "log.jsonl") -> str:
    path = folder / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return str(path)


def measured(context, path: str, **given):
    return measure_logs(context, [path], **given).reports[0]


# --- formats

LITELLM = {
    "request_id": "r1",
    "call_type": "acompletion",
    "spend": 0.004,
    "prompt_tokens": 800,
    "completion_tokens": 4,
    "startTime": "2026-09-01T12:00:00Z",
    "endTime": "2026-09-01T12:00:02Z",
    "model": "gpt-4.1-mini",
    "metadata": '{"task": "mail", "status": "success"}',
    "messages": CHAT,
}
LANGFUSE = {
    "id": "o1",
    "traceId": "t1",
    "type": "GENERATION",
    "promptName": "mail",
    "startTime": "2026-09-01T12:00:00.000Z",
    "endTime": "2026-09-01T12:00:02.000Z",
    "usageDetails": {"input": 800, "output": 4},
    "costDetails": {"total": 0.004},
    "input": CHAT,
    "model": "gpt-4.1-mini",
    "level": "DEFAULT",
}
OPENAI = {
    "task": "mail",
    "messages": [*CHAT, {"role": "assistant", "content": "delivery"}],
    "model": "gpt-4.1-mini",
    "usage": {"prompt_tokens": 800, "completion_tokens": 4},
    "created": int(NOON.timestamp()),
    "duration_ms": 2000,
    "cost": 0.004,
}
WRAPPED = {
    "metadata": {"task": "mail"},
    "request": {"model": "gpt-4.1-mini", "messages": CHAT},
    "response": {
        "created": int(NOON.timestamp()),
        "model": "gpt-4.1-mini",
        "usage": {"prompt_tokens": 800, "completion_tokens": 4},
    },
    "latency": 2.0,
    "response_cost": 0.004,
}


@pytest.mark.parametrize("row", [LITELLM, LANGFUSE, OPENAI, WRAPPED], ids=["litellm", "langfuse", "openai", "wrapped"])
def test_every_known_format_gives_the_same_figures(context, tmp_path: Path, row: dict):
    [found] = measured(context, lines(tmp_path, row, row)).tasks
    assert (found.task, found.requests, found.failed, found.models) == ("mail", 2, 0, {"gpt-4.1-mini": 2})
    assert (found.prompt_tokens.value, found.completion_tokens.value, found.cost_usd.value) == (800, 4, 0.004)
    assert found.latency_p95_s.value == pytest.approx(2.0, rel=0.01)
    assert found.repeated.value == 0.5 and found.first_day == date(2026, 9, 1)


def test_any_other_log_is_read_by_a_mapping(context, tmp_path: Path):
    row = {"when": "2026-09-01 12:00:00", "billing": {"usd": 0.02}, "took": 1.5, "q": "Hi", "kind": "mail"}
    mapping = mapping_of(["time=when", "cost=billing.usd", "latency=took", "input=q", "task=kind"])
    [found] = measured(context, lines(tmp_path, row), mapping=mapping).tasks
    assert (found.task, found.cost_usd.value, found.inputs_known) == ("mail", 0.02, 1)
    with pytest.raises(InputError, match=r"--map price=.*no such field"):
        measured(context, lines(tmp_path, row), mapping={"price": "x"})
    with pytest.raises(InputError, match="wanted NAME=VALUE"):
        mapping_of(["cost"])


def test_a_csv_export_with_json_in_its_cells_is_read(context, tmp_path: Path):
    (tmp_path / "log.csv").write_text(
        "id,trace_id,type,start_time,end_time,usage_details,total_cost,input\n"
        '1,t,GENERATION,2026-09-01T12:00:00Z,2026-09-01T12:00:02Z,"{""input"": 800, ""output"": 4}",0.004,Hi\n'
    )
    [found] = measured(context, str(tmp_path / "log.csv"), task="mail").tasks
    assert (found.task, found.prompt_tokens.value, found.cost_usd.value) == ("mail", 800, 0.004)


def test_spans_and_embeddings_are_left_out_and_counted(context, tmp_path: Path):
    report = measured(
        context, lines(tmp_path, {**LANGFUSE, "type": "SPAN"}, {**LITELLM, "call_type": "aembedding"}, LITELLM)
    )
    assert report.left_out == {"Langfuse SPAN": 1, "LiteLLM aembedding": 1} and report.tasks[0].requests == 1


def test_prompts_that_litellm_cut_are_not_taken_for_repeats(context, tmp_path: Path):
    cut = [{"role": "user", "content": "Dear (litellm_truncated 900 chars) yours"}]
    [found] = measured(context, lines(tmp_path, {**LITELLM, "messages": cut}, {**LITELLM, "messages": cut})).tasks
    assert (found.requests, found.inputs_known, found.repeated) == (2, 0, None)


def test_errors_are_counted_and_their_latency_is_not(context, tmp_path: Path):
    bad = [
        {**LITELLM, "metadata": '{"task": "mail", "status": "failure"}'},
        {**LANGFUSE, "level": "ERROR"},
        {**OPENAI, "error": {"message": "overloaded"}},
        {**OPENAI, "status_code": 503},
    ]
    [found] = measured(context, lines(tmp_path, *bad, OPENAI)).tasks
    assert (found.requests, found.failed, found.latency_p50_s.n) == (5, 4, 1)


# --- garbage


def test_bad_lines_are_counted_and_shown_by_place_and_reason_and_never_by_content(context, tmp_path: Path):
    secret = "sk-verysecret"
    report = measured(
        context,
        lines(
            tmp_path,
            f'{{"api_key": "{secret}", broken',
            f'"{secret}"',
            {"key": secret},
            {**OPENAI, "created": "1856-01-01"},
            {**OPENAI, "cost": secret},
            {**OPENAI, "cost": -1},
            {**OPENAI, "usage": {"prompt_tokens": 10**400}},
            {**OPENAI, "created": 1e300},
            OPENAI,
        ),
    )
    assert (report.lines, report.bad, report.tasks[0].requests) == (9, 8, 1)
    assert len(report.examples) == 5 and report.examples[0].place == "log.jsonl line 1"
    assert secret not in report.model_dump_json() and secret not in markdown(report)
    assert "8 of 9 lines could not be read" in markdown(report)


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from([*OPENAI, *LITELLM, *LANGFUSE, *WRAPPED, "error", "status", "body"])


@given(st.lists(st.dictionaries(fields, anything, max_size=8), max_size=5))
@settings(max_examples=150, deadline=None)
def test_no_line_however_odd_ends_the_reading(rows: list[dict]):
    from flows.measuring import _take
    from prompts.rows import Row

    meter, reader = Meter("x"), EntryReader()
    for n, row in enumerate([*rows, OPENAI]):
        _take(meter, reader, Row(f"line {n}", row), f"line {n}")
    report = meter.report()
    assert report.lines == len(rows) + 1
    assert sum(t.requests for t in report.tasks) + report.bad + sum(report.left_out.values()) == report.lines
    assert report == report.model_validate_json(report.model_dump_json()) and markdown(report)


def test_a_log_whose_tasks_are_all_different_does_not_fill_the_memory():
    meter = Meter("x")
    for n in range(500):
        meter.add(Entry(f"t{n}", NOON.timestamp(), n, 1, 1, 0.1, 0.1, False))
    report = meter.report()
    assert len(report.tasks) == MOST_TASKS and report.others == 500 - MOST_TASKS


def test_names_in_a_log_are_no_markup():
    meter = Meter("x")
    meter.add(Entry("<script>|\x1b[2J**x**", NOON.timestamp(), None, None, None, None, None, False))
    assert not re.search(r"(?<!\\)<script|\x1b|(?<!\\)\|", markdown(meter.report()))


# --- volume over time


def log_of(days: int, per_day) -> list[tuple[date, int]]:
    return [(date(2026, 6, 1) + timedelta(days=n), per_day(n)) for n in range(days)]


def test_the_weekday_pattern_and_the_rate_come_out_as_they_went_in():
    counts = log_of(60, lambda n: 10 if (date(2026, 6, 1) + timedelta(days=n)).weekday() >= 5 else 100)
    assert weekdays(counts) == [100, 100, 100, 100, 100, 10, 10]
    rate = daily_rate(counts, 60, sum(n for _, n in counts))
    assert rate.low <= 520 / 7 <= rate.high and weekdays(counts[:10]) == []


def test_growth_of_two_percent_a_week_is_found_with_its_range_and_a_flat_log_has_none():
    rng = np.random.default_rng(7)
    inside = 0
    for _ in range(60):
        counts = log_of(72, lambda n: int(rng.poisson(400 * 1.02 ** (n / 7))))
        found = growth(counts)
        inside += found.low <= 1.02 ** (30.44 / 7) - 1 <= found.high
    assert inside >= 48, "a 90 % range of ten weeks holds the truth in about nine of ten"
    assert growth(log_of(60, lambda n: 100)).value == pytest.approx(0)
    assert growth(log_of(30, lambda n: 100)) is None, "four whole weeks are too few"


def test_the_range_of_the_rate_holds_the_truth_about_nine_times_of_ten():
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(200):
        counts = log_of(44, lambda n: int(rng.poisson(50)))
        rate = daily_rate(counts, 44, sum(n for _, n in counts))
        held += rate.low <= 50 <= rate.high
    assert held >= 165


def test_whole_weeks_leave_the_cut_days_out():
    assert weeks(log_of(16, lambda n: 5)) == [35, 35] and weeks(log_of(8, lambda n: 5)) == []


def test_under_sixty_days_the_report_says_how_many_more_are_wanted(context, tmp_path: Path):
    rows = [{**OPENAI, "created": int((NOON + timedelta(days=n)).timestamp())} for n in range(21)]
    report = measured(context, lines(tmp_path, *rows))
    assert report.tasks[0].days_covered == 20
    assert "20 days are covered; 60 to 90 are wanted: go on for 40 more" in markdown(report)


def test_a_sampled_log_is_scaled_to_what_production_was_asked():
    meter = Meter("x", sampled=0.25)
    for n in range(100):
        meter.add(Entry("t", NOON.timestamp() + n * 86_400 / 2, n, 1, 1, 0.1, 0.1, False))
    assert meter.report().tasks[0].daily.value == pytest.approx(4 * 100 / 49.5)


# --- sketches


@given(st.lists(st.floats(min_value=1e-5, max_value=1e7), min_size=1, max_size=300), st.floats(0.01, 1))
@settings(max_examples=150, deadline=None)
def test_a_quantile_is_within_one_percent_of_the_true_one(values: list[float], share: float):
    sketch = Quantiles()
    for value in values:
        sketch.add(value)
    true = sorted(values)[max(1, int(np.ceil(share * len(values)))) - 1]
    assert sketch.at(share) == pytest.approx(true, rel=0.0101)
    assert sketch.mean == pytest.approx(float(np.mean(values)))


def test_the_interval_of_a_p95_holds_the_true_one_about_nine_times_of_ten():
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(100):
        sketch = Quantiles()
        for value in rng.lognormal(0, 0.5, 300):
            sketch.add(float(value))
        low, high = sketch.between(0.95)
        held += low <= np.exp(0.5 * 1.6449) <= high
    assert held >= 85
    assert Quantiles().between(0.95) is None and Quantiles().at(0.5) is None


def test_distinct_inputs_are_exact_up_to_what_is_kept_and_close_beyond():
    draw = random.Random(5)
    sketch = Distinct(kept=1024)
    for n in range(1000):
        sketch.add(digest(f"input {n}"))
        sketch.add(digest(f"input {draw.randrange(n + 1)}"))
    assert sketch.exact and sketch.count == 1000
    for n in range(50_000):
        sketch.add(digest(f"input {n}"))
    assert not sketch.exact and abs(sketch.count / 50_000 - 1) < 4 * sketch.error < 0.13


# --- what is kept, and how much memory it takes


def test_what_was_measured_is_kept_for_advice_by_its_task(context, tmp_path: Path):
    rows = [{**OPENAI, "created": int((NOON + timedelta(hours=n)).timestamp())} for n in range(24 * 20)]
    done = measure_logs(context, [lines(tmp_path, *rows)])
    assert done.kept == ["mail"]
    reading = advised.newest_reading(context.store, "mail")
    found = numbers(done.reports[0].tasks[0], "logs")
    assert reading.measured["requests"] == 480 and found["monthly_requests"].value == pytest.approx(
        24 * 30.44, rel=0.01
    )
    assert found["teacher_cost"].value == 0.004 and found["repeated_share"].value == pytest.approx(479 / 480)


def test_a_log_that_names_no_task_is_kept_only_where_the_task_is_given(context, tmp_path: Path):
    row = {name: value for name, value in OPENAI.items() if name != "task"}
    path = lines(tmp_path, row)
    nameless = measure_logs(context, [path])
    assert nameless.kept == [] and nameless.reports[0].tasks[0].task == UNNAMED and "--task NAME" in nameless.text
    assert measure_logs(context, [path], task="mail").kept == ["mail"]
    other = measure_logs(context, [lines(tmp_path, OPENAI)], task="letters").reports[0]
    assert other.tasks == [] and other.left_out == {"of other tasks than letters": 1}


def test_a_folder_without_logs_and_a_file_that_is_none_are_told(context, tmp_path: Path):
    with pytest.raises(InputError, match="no log in this folder"):
        measure_logs(context, [str(tmp_path)])
    with pytest.raises(InputError, match="no such file"):
        measure_logs(context, [str(tmp_path / "gone.jsonl")])


CHILD = """
import re, sys
from pathlib import Path
from flows.context import workplace
from flows.measuring import measure_logs
from flows.settings import Settings
from records.progress import silent
home, log = sys.argv[1:]
with workplace(silent, Settings(home=home, store_url="", _env_file=None)) as context:
    report = measure_logs(context, [log]).reports[0]
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(report.lines, report.bad, report.tasks[0].requests, report.tasks[0].repeated.value, int(peak) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the peak of memory is read from /proc")
def test_a_log_of_a_million_lines_takes_less_than_300_mb(tmp_path: Path):
    log, begin = tmp_path / "log.jsonl", int(NOON.timestamp())
    with log.open("w") as file:
        for n in range(1_000_000):
            file.write(
                f'{{"task":"mail","created":{begin + 5 * n},"latency_s":{0.5 + n % 97 / 50},"cost":0.004,'
                f'"usage":{{"prompt_tokens":{700 + n % 300},"completion_tokens":4}},'
                f'"messages":[{{"role":"user","content":"parcel {n % 500_000}"}}]}}\n'
                if n % 1000
                else "broken\n"
            )
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "home"), str(log)], capture_output=True, text=True, check=True
    )
    count, bad, requests, repeated, peak = done.stdout.split()
    assert (count, bad, requests) == ("1000000", "1000", "999000")
    assert float(repeated) == pytest.approx(0.5, abs=0.02)
    assert int(peak) < 300, f"{peak} MB"
