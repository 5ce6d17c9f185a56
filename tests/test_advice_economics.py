"""Prompt or fine-tune, in money: the worked case exactly, and what must hold whatever the numbers are."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advice import costs, draws
from advice.assumptions import NUMBERS, gather
from advice.economics import AFTER, assess
from advice.figures import Economics, Payback, Route, Way
from advice.prices import Prices, Rates, TokenPrices, load
from advice.reckoning import HORIZON, reckon
from advice.situation import Origin, Quantity, Situation
from records.errors import InputError

PRICES = load()
HOURS = 30.44 * 24


def known(value: float, low: float | None = None, high: float | None = None) -> Quantity:
    low, high = value if low is None else low, value if high is None else high
    return Quantity(value=value, low=low, high=high, unit="", origin=Origin.given, source="a test")


def scaled(quantity: Quantity, by: float) -> Quantity:
    return known(quantity.value * by, quantity.low * by, quantity.high * by)


def worked_case(**changed: Quantity | float | bool) -> Situation:
    """30,000 documents a month at $0.04, a GPU at $80 a month, $15,000 up front; nothing else costs anything."""
    zero = dict.fromkeys(("growth", "repeated_share", "batchable_share", "labels_needed", "label_cost"), known(0))
    zero |= dict.fromkeys(("training_cost", "monitoring_cost"), known(0))
    numbers = {
        "monthly_requests": known(30_000),
        "teacher_cost": known(0.04),
        "machine_price": known(80 / HOURS),
        "engineering_cost": known(15_000),
        "pilot_months": 3,
    }
    return Situation(task="documents", **(zero | numbers | changed))


def few(situation: Situation, rates: Rates | None = None) -> Economics:
    return assess(situation, PRICES, rates, count=300)


# --- the worked case


def test_the_worked_case_pays_back_after_13_4_months_and_is_15_times_cheaper_a_month():
    found = assess(worked_case(), PRICES)
    assert found.best is Way.self_hosted
    assert found.route(Way.prompting).monthly.value == pytest.approx(1200)
    assert found.student.monthly.value == pytest.approx(80)
    assert found.student.payback.months == pytest.approx(15_000 / 1_120)
    assert round(found.student.payback.months, 1) == 13.4
    assert found.student.times_cheaper.value == pytest.approx(15)
    assert {after: net.value for after, net in found.student.net.items()} == pytest.approx(
        {12: 12 * 1120 - 15_000, 24: 24 * 1120 - 15_000, 36: 36 * 1120 - 15_000}
    )


def test_the_worked_case_never_pays_within_a_pilot_of_three_months():
    uncertain = worked_case(
        monthly_requests=known(30_000, 24_000, 36_000), engineering_cost=known(15_000, 12_000, 18_000)
    )
    back = assess(uncertain, PRICES).student.payback
    assert back.pilot_chance == 0
    assert 9 < back.low < 12 and back.low < 15_000 / 1_120 < back.high < 20
    assert back.chances[24] > 0.99


def test_500_requests_a_month_never_pay_back():
    found = assess(worked_case(monthly_requests=known(500), growth=known(0.01, 0, 0.02)), PRICES)
    assert found.student.payback.months is None and found.student.payback.chances[HORIZON] == 0
    assert all(net.high < 0 for net in found.student.net.values())


def test_intervals_grow_with_what_is_not_known_and_name_what_was_assumed():
    sure, unsure = assess(worked_case(), PRICES), assess(Situation(task="new"), PRICES)
    assert sure.student.net[24].low == sure.student.net[24].value == sure.student.net[24].high
    assert unsure.student.net[24].low < 0 < unsure.student.net[24].high
    assert unsure.swings[0].name == "monthly_requests" and unsure.swings[0].assumed
    assert not any(one.quantity.origin is Origin.given for one in unsure.assumptions)
    assert {one.name for one in unsure.assumptions} == set(NUMBERS)


def test_the_same_seed_gives_the_same_figures_and_another_seed_gives_like_ones():
    unsure = Situation(task="new", monthly_requests=known(50_000, 30_000, 80_000), teacher_cost=known(0.02))
    one, again, other = (assess(unsure, PRICES, seed=seed).student.net[24] for seed in (1, 1, 2))
    assert one == again and one != other
    assert other.low == pytest.approx(one.low, rel=0.2) and other.high == pytest.approx(one.high, rel=0.2)


# --- what must hold whatever the numbers are

amounts = st.floats(0, 1e6, allow_nan=False)
factors = st.floats(1, 5)


@st.composite
def ranges(draw: st.DrawFn, most: float = 1e6, least: float = 0) -> Quantity:
    ends = sorted(draw(st.lists(st.floats(least, most), min_size=3, max_size=3)))
    return known(ends[1], ends[0], ends[2])


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    fields = {
        "monthly_requests": ranges(1e9),
        "growth": ranges(0.1, -0.1),
        "teacher_cost": ranges(1.0),
        "repeated_share": ranges(1.0),
        "batchable_share": ranges(1.0),
        "student_throughput": ranges(100, 0.01),
        "peak_to_mean": ranges(20, 1),
        "machine_price": ranges(10),
        "engineering_cost": ranges(1e5),
        "retrain_every_months": ranges(24, 0.5),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(fields))))
    return Situation(task="any", **{name: draw(fields[name]) for name in sorted(chosen)})


def every_number(found: Economics) -> list[float]:
    def numbers(data: object) -> list[float]:
        if isinstance(data, dict):
            return [n for one in data.values() for n in numbers(one)]
        if isinstance(data, list):
            return [n for one in data for n in numbers(one)]
        return [float(data)] if isinstance(data, int | float) else []

    return numbers(found.model_dump(mode="json"))


@settings(max_examples=60, deadline=None)
@given(situations())
def test_no_figure_is_infinite_or_no_number_and_every_interval_holds_its_value(situation: Situation):
    found = few(situation)
    assert all(map(math.isfinite, every_number(found)))
    for route in found.routes:
        spreads = [route.monthly, route.running, *route.net.values(), *(filter(None, [route.once, route.machines]))]
        assert all(one.low <= one.value <= one.high for one in spreads)
        curves = zip(route.curve.low, route.curve.value, route.curve.high, strict=True)
        assert all(low <= value <= high for low, value, high in curves)
        if route.payback:
            low, value, high = months(route.payback)
            assert low <= value <= high


@settings(max_examples=60, deadline=None)
@given(situations(), factors)
def test_more_volume_never_makes_fine_tuning_look_worse(situation: Situation, factor: float):
    less = situation.monthly_requests or known(10_000, 100, 1_000_000)
    fewer = few(situation.model_copy(update={"monthly_requests": less})).student
    more = few(situation.model_copy(update={"monthly_requests": scaled(less, factor)})).student
    assert no_worse(more, fewer)


@settings(max_examples=60, deadline=None)
@given(situations(), factors)
def test_a_dearer_machine_is_never_better(situation: Situation, factor: float):
    price = situation.machine_price or known(0.8, 0.5, 1.1)
    cheap = few(situation.model_copy(update={"machine_price": price})).route(Way.self_hosted)
    dear = few(situation.model_copy(update={"machine_price": scaled(price, factor)})).route(Way.self_hosted)
    assert no_worse(cheap, dear)


@settings(max_examples=30, deadline=None)
@given(situations(), st.sampled_from(["engineering_cost", "monitoring_cost", "training_cost", "label_cost"]), factors)
def test_what_costs_more_once_or_monthly_is_never_better(situation: Situation, name: str, factor: float):
    cost = getattr(situation, name) or known(200, 100, 900)
    cheap = few(situation.model_copy(update={name: cost})).student
    dear = few(situation.model_copy(update={name: scaled(cost, factor)})).student
    assert no_worse(cheap, dear)


def no_worse(better: Route, worse: Route) -> bool:
    """Net value no lower and break-even no later, at the value and at both ends (less what floats lose)."""
    for after in AFTER:
        ours, theirs = better.net[after], worse.net[after]
        for mine, yours in zip((ours.value, ours.low, ours.high), (theirs.value, theirs.low, theirs.high), strict=True):
            if mine < yours - 1e-6 * (1 + abs(yours)):
                return False
    pairs = zip(months(better.payback), months(worse.payback), strict=True)
    return all(mine <= yours * (1 + 1e-6) + 1e-6 for mine, yours in pairs)


def months(back: Payback) -> list[float]:
    """Low, value and high; infinity for never."""
    return [math.inf if m is None else m for m in (back.low, back.months, back.high)]


@pytest.mark.parametrize("volume", [0, 1e-6, 1, 1e12])
def test_no_volume_is_too_small_or_too_large(volume: float):
    found = few(worked_case(monthly_requests=known(volume), growth=known(0, -1, 0.5)))
    assert all(map(math.isfinite, every_number(found)))
    assert (found.student.payback.months is None) == (volume <= 1)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("monthly_requests", -1, "monthly_requests: -1 to -1"),
        ("monthly_requests", 1e300, "between 0 and 1e\\+12"),
        ("teacher_cost", -0.01, "teacher_cost"),
        ("repeated_share", 1.5, "between 0 and 1"),
        ("peak_to_mean", 0.5, "between 1 and 1000"),
        ("retrain_every_months", 0, "retrain_every_months"),
    ],
)
def test_a_number_that_cannot_be_is_refused_with_its_bounds(name: str, value: float, said: str):
    with pytest.raises(InputError, match=said):
        few(worked_case(**{name: known(value)}))


# --- the ways, one by one


def test_a_cache_and_batches_make_prompting_cheaper():
    full = few(worked_case()).route(Way.prompting).monthly.value
    cached = few(worked_case(repeated_share=known(0.25))).route(Way.prompting).monthly.value
    batched = few(worked_case(batchable_share=known(0.5))).route(Way.prompting).monthly.value
    assert (cached, batched) == pytest.approx((0.75 * full, 0.75 * full))


def test_machines_are_whole_and_at_least_one_and_what_they_do_not_hold_goes_to_the_teacher():
    # one machine plans for 0.5 requests a second in the busiest hour, which is twice the mean: 657,504 a month
    one = {"student_throughput": known(1), "utilisation": known(0.5), "peak_to_mean": known(2)}
    holds = 0.25 * HOURS * 3600
    for share, machines, cost in [(0.001, 1, 80), (1, 1, 80), (1.001, 1, 80 + 0.001 * holds * 0.04), (1.5, 2, 160)]:
        found = few(worked_case(monthly_requests=known(share * holds), **one)).route(Way.self_hosted)
        assert found.machines.value == machines
        assert found.running.value == pytest.approx(cost)


def test_where_nothing_may_leave_machines_are_rented_for_all_and_other_ways_are_barred():
    one = {"student_throughput": known(1), "utilisation": known(0.5), "peak_to_mean": known(2)}
    held = worked_case(monthly_requests=known(1.001 * 0.25 * HOURS * 3600), data_may_not_leave=True, **one)
    found = few(held)
    assert found.best is Way.self_hosted and found.student.machines.value == 2
    assert {route.way for route in found.routes if route.barred} == {Way.prompting, Way.endpoint}
    assert found.route(Way.prompting).barred == "the data may not leave"


def test_growth_brings_break_even_forward():
    flat, grown = (few(worked_case(growth=known(g))).student.payback.months for g in (0, 0.05))
    assert grown < flat


def test_a_larger_student_needs_a_dearer_machine():
    small, large = (few(Situation(task="t", student_size=size)) for size in ("small", "large"))
    assert large.route(Way.self_hosted).monthly.value > small.route(Way.self_hosted).monthly.value
    assert {one.fits for one in large.listed} == {"large"}


def test_token_prices_give_the_teachers_cost_its_batch_discount_and_a_hosted_model_by_the_token():
    rates = Rates(
        teacher=TokenPrices(model="t", input=2, output=8, batch_input=1, batch_output=4),
        tuned=TokenPrices(model="ft", input=0.8, output=3.2),
    )
    tokens = {"prompt_tokens": known(1000), "completion_tokens": known(100)}
    asked = Situation(task="t", monthly_requests=known(1e6), batchable_share=known(1), growth=known(0), **tokens)
    found = few(asked.model_copy(update={"repeated_share": known(0)}), rates)
    assert found.route(Way.prompting).monthly.value == pytest.approx(1e6 * 0.0028 / 2)
    hosted = found.route(Way.tokens)
    assert hosted.running.value == pytest.approx(1e6 * 0.00112) and hosted.running.low < hosted.running.value
    paid = few(asked.model_copy(update={"teacher_cost": known(0.01)}), rates).route(Way.prompting)
    assert paid.monthly.value == pytest.approx(5000), "what is paid counts more than the list price"


def test_a_hosted_model_that_is_dearer_than_the_teacher_is_never_the_advice():
    dear = worked_case(hosted_cost=known(0.05), machine_price=known(3), endpoint_price=known(3))
    assert few(dear).best is not Way.tokens
    assert few(worked_case(hosted_cost=known(0.0001))).best is Way.tokens


def test_the_arrays_say_what_a_loop_over_months_says():
    """A second implementation, month by month and draw by draw, without numpy's help."""
    unsure = Situation(
        task="new", monthly_requests=known(60_000, 20_000, 200_000), teacher_cost=known(0.03, 0.01, 0.06)
    )
    drawn = draws.draw(gather(unsure, PRICES, Rates()), 40, seed=3)
    found = reckon(drawn, overflow=True)
    for row in range(40):
        one = {name: float(values[row]) for name, values in drawn.items()}
        spent, saved, paid = costs.once({n: v[row : row + 1] for n, v in drawn.items()})[0], 0.0, math.inf
        for month in range(HORIZON):
            asked = one["monthly_requests"] * (1 - one["repeated_share"]) * (1 + one["growth"]) ** month
            price = one["teacher_cost"] * (1 - one["batchable_share"] * one["batch_discount"])
            rent = one["machine_price"] * HOURS
            holds = one["student_throughput"] * one["utilisation"] / one["peak_to_mean"] * HOURS * 3600
            cheapest = min(n * rent + max(0.0, asked - n * holds) * price for n in range(1, 2 + int(asked / holds) + 1))
            upkeep = one["training_cost"] / one["retrain_every_months"] + one["monitoring_cost"]
            assert found.ways[Way.self_hosted].total[row, month] == pytest.approx(cheapest + upkeep)
            saving = asked * price - cheapest - upkeep
            if saved < spent <= saved + saving and paid == math.inf:
                paid = month + (spent - saved) / saving
            saved += saving
            assert found.net(Way.self_hosted)[row, month] == pytest.approx(saved - spent, abs=1e-6 * abs(saved) + 1e-6)
        assert found.pays_back(Way.self_hosted)[row] == pytest.approx(paid)


def test_ninety_per_cent_of_what_could_be_true_lies_within_the_interval():
    unsure = Situation(task="new", monthly_requests=known(60_000, 40_000, 90_000), teacher_cost=known(0.03, 0.02, 0.04))
    said = assess(unsure, PRICES, seed=1).route(Way.self_hosted).net[24]
    truths = reckon(draws.draw(gather(unsure, PRICES, Rates()), 20_000, seed=2), True).net(Way.self_hosted)
    within = np.mean((truths[:, 23] >= said.low) & (truths[:, 23] <= said.high))
    assert within == pytest.approx(0.9, abs=0.02)


def test_litellms_table_prices_a_teacher_with_its_batches_and_a_hosted_model():
    from flows.advise import HOSTED_MODEL
    from prompts.litellm_door import token_prices

    teacher = TokenPrices.model_validate({"model": "gpt-4.1", **(token_prices("openai/gpt-4.1") or {})})
    assert teacher.batch_discount(1000, 100) == pytest.approx(0.5)
    assert token_prices(HOSTED_MODEL) is not None and token_prices("acme/none") is None


# --- draws


def test_draws_keep_the_value_as_median_and_the_range_as_90_per_cent():
    for name, quantity in [
        ("teacher_cost", known(0.04, 0.01, 0.05)),
        ("growth", known(0.01, -0.02, 0.05)),
        ("monthly_requests", known(500, 0, 900)),
        ("utilisation", known(0.7, 0.5, 0.8)),
    ]:
        luck = np.random.default_rng(0).standard_normal(200_000)
        drawn = draws.spread(name, quantity, luck)
        got = np.quantile(drawn, [0.05, 0.5, 0.95])
        scale = quantity.high - quantity.low
        assert np.abs(got - [quantity.low, quantity.value, quantity.high]).max() < 0.01 * scale, name
        assert drawn.min() >= NUMBERS[name].least and drawn.max() <= NUMBERS[name].most


def test_draws_of_a_sure_number_are_that_number():
    assert set(draws.spread("teacher_cost", known(0.04), np.array([-5.0, 0.0, 5.0]))) == {0.04}


def test_payback_is_the_share_of_the_month_in_which_the_saving_reaches_what_was_spent():
    saving = np.array([[10.0, 10, 10, 10], [0, 0, 0, 0], [-5, 20, 20, 0], [1, 1, 1, 1]])
    got = costs.payback(saving, np.array([25.0, 1, 10, 0]))
    assert list(got) == [2.5, math.inf, 1.75, 0]


# --- prices


def test_every_price_of_the_list_has_a_source_and_a_day_and_is_read():
    for listed in (*PRICES.machines, *PRICES.endpoints):
        assert listed.source.startswith("https://") and 2025 <= listed.as_of.year <= 2026


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("usd_per_hour: 0.5904", "usd_per_hour: 0"), "usd_per_hour"),
        (("usd_per_hour: 0.5904", "usd_per_hour: .inf"), "usd_per_hour"),
        (("source: https://modal.com/pricing", "source: somewhere"), "source"),
        (("as_of: 2026-05-07", "as_of: last week"), "as_of"),
        (("    fits: small\n", "    fits: small\n    colour: red\n"), "colour"),
        (("    fits: small\n", "    fits: small\n    fits: large\n"), "given twice"),
        (("machines:", "machines: &m"), "valid YAML|machines"),
        (("endpoints:", "other:"), "endpoints|other"),
    ],
)
def test_a_wrong_price_list_is_refused(tmp_path, change: tuple[str, str], said: str):
    from advice.prices import FILE

    wrong = tmp_path / "prices.yaml"
    text = FILE.read_text("utf-8").replace(*change, 1)
    wrong.write_text(text if "&m" not in text else text + "again: *m\n")
    with pytest.raises(InputError, match=said):
        load(wrong)


def test_a_missing_or_broken_price_list_is_said(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        load(tmp_path / "bad.yaml")


def test_a_price_range_is_the_middle_vendor_between_the_cheapest_and_the_dearest():
    from advice.prices import range_of

    found = range_of(PRICES.machines, "small")
    prices = sorted(one.usd_per_hour for one in PRICES.machines if one.fits == "small")
    assert (found.low, found.value, found.high) == (prices[0], prices[len(prices) // 2], prices[-1])
    with pytest.raises(InputError, match="fits a large"):
        range_of([one for one in PRICES.machines if one.fits == "small"], "large")
    assert isinstance(PRICES, Prices)
