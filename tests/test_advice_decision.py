"""Prompt or fine-tune: the steps, what overrules them, the order in which they decide, and the worked cases, whole."""

import itertools
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advice import amounts, terms
from advice.decision import Leaning, Payoff, Recommendation, Thresholds
from advice.flips import moved
from advice.form import Answers, applied
from advice.missing import HOW, missing
from advice.payoff import payoffs
from advice.prices import load
from advice.recommend import advise, decide
from advice.situation import Quantity, Situation
from advice.six_steps import steps
from flows.advise import answer
from records.errors import InputError

LIMITS = Thresholds()
R = Recommendation
RANK = {R.keep_prompting: 0, R.measure: 1, R.distil: 2, R.fine_tune: 2}
FACTS = (
    "data_may_not_leave",
    "offline",
    "needs_current_facts",
    "output_varies",
    "multi_step_reasoning",
    "exploring",
)


def q(value: float, unit: str = "", low: float | None = None, high: float | None = None, origin="measured") -> Quantity:
    ends = {"low": value if low is None else low, "high": value if high is None else high}
    return Quantity(value=value, unit=unit, origin=origin, source="a test", **ends)


def situation(**numbers) -> Situation:
    found = {
        n: q(x, "share" if n.endswith("accuracy") else "") if isinstance(x, float) and n != "days_covered" else x
        for n, x in numbers.items()
    }
    return Situation(task="mail_sorting", **found)


def pays(chance: float, months: float | None = 12.0) -> Payoff:
    return Payoff(months=months, low=months, high=months, chance=chance, horizon_months=24)


def said(**sections) -> tuple:
    answers = Answers.model_validate(sections)
    return answer(applied(Situation(task="mail_sorting"), answers), answers)


# --- the steps


@pytest.mark.parametrize(
    ("number", "field", "value", "leaning"),
    [
        (1, "example_pairs", 19.0, Leaning.prompt),
        (1, "example_pairs", 20.0, Leaning.fine_tune),
        (2, "changes", 13.0, Leaning.prompt),
        (2, "changes", 2.0, Leaning.fine_tune),
        (3, "monthly_requests", 999.0, Leaning.prompt),
        (3, "monthly_requests", 1000.0, Leaning.either),
        (3, "monthly_requests", 30_000.0, Leaning.either),
        (3, "monthly_requests", 31_000.0, Leaning.fine_tune),
        (4, "latency_budget_s", 0.199, Leaning.fine_tune),
        (4, "latency_budget_s", 0.2, Leaning.either),
        (5, "labelled_examples", 499.0, Leaning.either),
        (5, "labelled_examples", 500.0, Leaning.fine_tune),
        (6, "teacher_accuracy", 0.951, Leaning.prompt),
        (6, "teacher_accuracy", 0.9, Leaning.either),
        (6, "teacher_accuracy", 0.849, Leaning.fine_tune),
    ],
)
def test_each_step_turns_at_its_threshold_and_says_so(number: int, field: str, value: float, leaning: Leaning):
    step = steps(situation(**{field: value}), LIMITS)[number - 1]
    assert (step.number, step.leaning, step.sure) == (number, leaning, True)
    assert step.reason.endswith(".") and step.threshold


def test_a_step_whose_range_crosses_its_threshold_is_not_sure():
    crossing = situation(monthly_requests=q(1200, low=800, high=1500))
    assert (steps(crossing, LIMITS)[2].leaning, steps(crossing, LIMITS)[2].sure) == (Leaning.either, False)


def test_a_step_without_its_number_is_unknown_and_named_as_the_next_to_measure():
    found = advise(Situation(task="t"))
    assert {step.leaning for step in found.steps} == {Leaning.unknown}
    assert found.missing[0] == HOW["monthly_requests"] and len(found.missing) == len(HOW)
    assert HOW["monthly_requests"] not in missing(situation(monthly_requests=5.0))


def test_the_measured_p95_of_the_teacher_stands_beside_the_budget_and_may_break_it():
    step = steps(situation(latency_budget_s=q(2, "s"), teacher_p95_s=q(3.1, "s")), LIMITS)[3]
    assert step.leaning is Leaning.fine_tune and "3.1 s" in step.reason and step.beside.value == 3.1


def test_labels_that_are_missing_are_priced():
    step = steps(situation(labelled_examples=q(100, "labelled examples")), LIMITS)[4]
    assert "400 more are wanted, for $800 to $2,000" in step.reason
    measured = situation(labelled_examples=100.0, label_cost=q(0.5, "USD a label", 0.4, 0.6))
    assert "for $160 to $240 (a test)" in steps(measured, LIMITS)[4].reason


def test_thresholds_can_be_changed():
    tight = Thresholds(low_volume=100)
    assert decide(situation(monthly_requests=500.0), tight, pays(0.9)).recommendation is R.distil
    assert decide(situation(monthly_requests=500.0), LIMITS, pays(0.9)).recommendation is R.keep_prompting


# --- what decides, in which order


def test_current_facts_want_retrieval_whatever_else_holds():
    for held in itertools.product([False, True], repeat=5):
        facts = dict(zip([f for f in FACTS if f != "needs_current_facts"], held, strict=True))
        found = advise(situation(monthly_requests=1e6, needs_current_facts=True, **facts))
        assert found.recommendation is R.rag
        assert ("on own machines" in found.sentence) == (facts["data_may_not_leave"] or facts["offline"])
        assert [one.name for one in found.overrules if one.decides] == ["needs current facts"]


@pytest.mark.parametrize("fact", ["data_may_not_leave", "offline"])
def test_privacy_and_a_missing_network_settle_it_whatever_the_cost(fact: str):
    few = situation(monthly_requests=10.0, changes=30.0, teacher_accuracy=0.99, **{fact: True})
    assert decide(few, LIMITS, pays(0.0, None)).recommendation is R.distil
    labelled = few.model_copy(update={"labelled_examples": q(800)})
    assert decide(labelled, LIMITS, pays(0.0, None)).recommendation is R.fine_tune


@pytest.mark.parametrize("fact", ["exploring", "output_varies", "multi_step_reasoning"])
def test_what_a_small_model_cannot_do_stays_with_the_prompt(fact: str):
    found = decide(situation(monthly_requests=1e6, teacher_accuracy=0.7, **{fact: True}), LIMITS, pays(1.0, 1.0))
    assert found.recommendation is R.keep_prompting and len(found.by) == 1


def test_a_tight_latency_beats_a_small_volume():
    found = decide(situation(monthly_requests=50.0, latency_budget_s=0.15), LIMITS, pays(0.0, None))
    assert (found.recommendation, found.by) == (R.distil, ["latency budget"])


def test_between_the_thresholds_the_economics_decide_both_ways():
    between = situation(monthly_requests=20_000.0, teacher_accuracy=0.9)
    assert decide(between, LIMITS, pays(0.9)).recommendation is R.distil
    assert decide(between, LIMITS, pays(0.1)).recommendation is R.keep_prompting
    assert decide(between, LIMITS, pays(0.1)).by == ["economics"]


def test_a_poor_teacher_is_reason_enough_but_not_for_a_pilot_that_ends_before_it_pays():
    poor = situation(monthly_requests=20_000.0, teacher_accuracy=0.8)
    assert decide(poor, LIMITS, pays(0.1)).recommendation is R.distil
    pilot = poor.model_copy(update={"pilot_months": 3.0})
    assert decide(pilot, LIMITS, pays(0.1)).recommendation is R.keep_prompting


def test_what_was_measured_over_too_few_days_and_matters_is_measured_on():
    unsure = situation(monthly_requests=q(900, low=500, high=1500), days_covered=20.0)
    found = advise(unsure, lambda _: pays(0.5))
    assert (found.recommendation, found.measure_days) == (R.measure, 40)
    grey = situation(monthly_requests=20_000.0, days_covered=20.0)
    assert decide(grey, LIMITS, pays(0.6)).recommendation is R.measure
    assert decide(grey, LIMITS, pays(0.9)).recommendation is R.distil, "more days would not change it"
    enough = grey.model_copy(update={"days_covered": 60.0})
    assert decide(enough, LIMITS, pays(0.6)).recommendation is R.distil


def test_a_volume_that_a_person_gave_is_not_measured_on():
    given_ = situation(monthly_requests=q(900, low=500, high=1500, origin="given"), days_covered=20.0)
    assert decide(given_, LIMITS, pays(0.5)).recommendation is R.keep_prompting


def test_without_the_fact_that_settled_it_the_answer_is_told_too():
    private = situation(monthly_requests=50.0, data_may_not_leave=True)
    assert advise(private).notes[0] == (
        "Were it not for this (data may not leave), the answer would be: keep prompting and collect."
    )


def test_without_a_volume_the_volume_is_measured_first():
    found = advise(situation(teacher_accuracy=0.9), lambda _: pays(0.9))
    assert (found.recommendation, found.measure_days, found.decided_by) == (R.measure, 60, ["volume"])


# --- properties

sizes = st.floats(min_value=0, max_value=1e9, allow_subnormal=False)
shares = st.floats(min_value=0, max_value=1, allow_subnormal=False)
origins = st.sampled_from(["measured", "given"])
amount = st.builds(
    lambda x, origin: q(x[1], "", x[0], x[2], origin), st.tuples(sizes, sizes, sizes).map(sorted), origins
)
share = st.tuples(shares, shares, shares).map(sorted).map(lambda x: q(x[1], "share", x[0], x[2]))
maybe = st.none() | amount
situations = st.builds(
    Situation,
    task=st.just("t"),
    monthly_requests=amount,
    changes=maybe,
    example_pairs=maybe,
    latency_budget_s=maybe,
    teacher_p95_s=maybe,
    labelled_examples=maybe,
    teacher_accuracy=st.none() | share,
    days_covered=st.none() | st.floats(min_value=0, max_value=400),
    pilot_months=st.none() | st.floats(min_value=0.1, max_value=100),
    **{fact: st.booleans() for fact in FACTS},
)


def by_volume(found: Situation) -> Payoff:
    """A stand-in for the economics: the more is asked, the likelier it pays back."""
    volume = found.monthly_requests.value
    return Payoff(months=None if volume == 0 else 1e5 / volume, chance=volume / (volume + 2e4), horizon_months=24)


@given(situations, st.floats(min_value=1, max_value=1e4))
@settings(max_examples=300, deadline=None)
def test_more_volume_never_makes_fine_tuning_look_worse(found: Situation, factor: float):
    volume = found.monthly_requests
    more = volume.model_copy(update={end: getattr(volume, end) * factor for end in ("low", "value", "high")})
    bigger = found.model_copy(update={"monthly_requests": more})
    before = decide(found, LIMITS, by_volume(found)).recommendation
    after = decide(bigger, LIMITS, by_volume(bigger)).recommendation
    assert before == after or RANK[before] <= RANK[after]


@given(situations)
@settings(max_examples=60, deadline=None)
def test_any_situation_gets_one_answer_with_its_reasons(found: Situation):
    told = advise(found, by_volume)
    assert told.sentence.endswith(".") and told.decided_by and len(told.steps) == 6
    assert (told.measure_days is not None) == (told.recommendation is R.measure)
    assert told == told.model_validate_json(told.model_dump_json())


@given(situations)
@settings(max_examples=40, deadline=None)
def test_a_flip_is_where_the_answer_changes(found: Situation):
    told = advise(found, by_volume)
    for flip in told.flips:
        quantity = getattr(found, flip.quantity)
        there = moved(quantity, 0).model_copy(update={"low": flip.at, "value": flip.at, "high": flip.at})
        assert (there.value > quantity.value) == flip.above and flip.to != told.recommendation


# --- what people write


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("30000", (30_000, 30_000)),
        ("30,000", (30_000, 30_000)),
        ("20000 to 40000", (20_000, 40_000)),
        ("$2,000 - $5,000", (2_000, 5_000)),
        ("88 %", (0.88, 0.88)),
        ("85 to 91%", (0.85, 0.91)),
        ("180 ms", (0.18, 0.18)),
        ("3-5 s", (3, 5)),
        ("-2 %", (-0.02, -0.02)),
        ("1e6", (1e6, 1e6)),
    ],
)
def test_amounts_are_read_as_people_write_them(text: str, ends: tuple[float, float]):
    assert amounts.read(text) == pytest.approx(ends)


@given(
    st.text(max_size=80) | st.floats() | st.integers() | st.lists(st.floats(), max_size=3) | st.none() | st.booleans()
)
@settings(max_examples=300)
def test_garbage_in_a_form_is_refused_in_a_sentence_or_read_as_finite_numbers(value):
    try:
        form = Answers.model_validate({"numbers": {"monthly_requests": value}})
        found = applied(Situation(task="t"), form).monthly_requests
    except (ValueError, InputError) as fault:
        assert str(fault)
    else:
        assert found is None or 0 <= found.low <= found.value <= found.high <= 1e12


def test_a_single_number_is_widened_by_what_such_numbers_are_off_and_a_range_is_taken_as_it_is():
    found = applied(
        Situation(task="t"), Answers.model_validate({"money": {"engineering_cost": 15000}})
    ).engineering_cost
    assert (found.low, found.value, found.high) == (12_000, 15_000, 18_000) and "within 20 %" in found.source
    exact = applied(Situation(task="t"), Answers.model_validate({"money": {"engineering_cost": [15000, 15000]}}))
    assert exact.engineering_cost.low == exact.engineering_cost.high == 15_000


def test_a_number_that_cannot_be_is_refused_with_its_bounds():
    with pytest.raises(InputError, match=r"teacher_accuracy: 120 % lies outside 0 to 1"):
        applied(Situation(task="t"), Answers.model_validate({"numbers": {"teacher_accuracy": "120 %"}}))


def test_the_form_has_every_number_of_a_situation():
    form = {
        n for section in ("numbers", "money", "facts") for n in Answers.model_fields[section].annotation.model_fields
    }
    assert set(Situation.model_fields) - form == {"task", "days_covered"}


# --- terms


def test_terms_are_dated_linked_and_found_by_the_model():
    rows = terms.load()
    assert all(
        row.url.startswith("https://") and (row.as_of is None or row.as_of <= date(2026, 11, 25)) for row in rows
    )
    assert all(row.as_of is not None or row.says.startswith("Not read here") for row in rows)
    assert terms.for_model("openai/gpt-4.1-mini").provider == "OpenAI"
    assert terms.for_model("openai/smollm2-135m-instruct").provider.startswith("Hugging Face")
    assert terms.for_model("acme/own") is None and terms.for_model(None) is None


def test_a_table_of_terms_with_a_fault_is_refused(tmp_path):
    (tmp_path / "terms.yaml").write_text("- {provider: X, models: [x], says: s, url: 'javascript:1'}")
    with pytest.raises(InputError, match=r"0\.url"):
        terms.load(tmp_path / "terms.yaml")


# --- the worked cases, through decision and economics together

ARTICLE = {
    "numbers": {
        "monthly_requests": 30_000,
        "growth": "0 to 0",
        "teacher_accuracy": "88 %",
        "student_accuracy": "93 %",
        "teacher_p95_s": "3-5 s",
        "student_p95_s": "180 ms",
    },
    "money": {
        "teacher_cost": 0.04,
        "machine_price": "0.1096 to 0.1096",
        "engineering_cost": 15_000,
        "labels_needed": 0,
        "training_cost": 0,
        "monitoring_cost": 0,
        "repeated_share": 0,
        "batchable_share": 0,
    },
}


def test_the_articles_own_case_pays_back_after_13_4_months_and_is_recommended_for_years():
    advice, economics = said(**ARTICLE)
    assert advice.recommendation is R.distil and advice.decided_by == ["economics"]
    assert advice.payoff.months == pytest.approx(13.4, abs=0.05)
    assert advice.payoff.low < 13.4 < advice.payoff.high and advice.payoff.chance > 0.9
    own = economics.student
    assert own.monthly.value == pytest.approx(80, abs=1) and own.times_cheaper.value == pytest.approx(15, abs=0.2)
    gap = advice.steps[5].beside.value - advice.steps[5].value.value
    assert gap == pytest.approx(0.05) and advice.situation.student_p95_s.value == pytest.approx(0.18)
    assert any(f.quantity == "monthly_requests" and not f.above and f.to is R.keep_prompting for f in advice.flips)
    pilot, _ = said(**ARTICLE, facts={"pilot_months": 3})
    assert pilot.recommendation is R.keep_prompting and pilot.payoff.chance == 0


def test_500_requests_a_month_are_prompted():
    advice, _ = said(numbers={"monthly_requests": 500}, money={"teacher_cost": 0.04})
    assert (advice.recommendation, advice.decided_by) == (R.keep_prompting, ["volume"])
    assert any(flip.quantity == "monthly_requests" and flip.above for flip in advice.flips)


def test_a_task_that_changes_weekly_is_prompted_however_much_is_asked():
    advice, _ = said(numbers={"monthly_requests": 200_000, "changes": 13}, money={"teacher_cost": 0.04})
    assert (advice.recommendation, advice.decided_by) == (R.keep_prompting, ["changes"])
    assert any(flip.quantity == "changes" and not flip.above for flip in advice.flips)


def test_a_hospital_that_may_not_send_data_out_trains_its_own_whatever_it_costs():
    advice, economics = said(numbers={"monthly_requests": 2_000}, facts={"data_may_not_leave": True})
    assert (advice.recommendation, advice.decided_by) == (R.distil, ["data may not leave"])
    assert "whatever the cost" in advice.sentence and any("own machines" in note for note in advice.notes)
    assert {str(route.way) for route in economics.routes if not route.barred} == {"self_hosted"}


def test_with_the_real_economics_more_volume_never_makes_fine_tuning_look_worse():
    payoff_of = payoffs(load())
    for cost, accuracy in itertools.product([0.002, 0.04], [0.8, 0.9]):
        here = situation(teacher_cost=q(cost, "USD a request", 0.8 * cost, 1.2 * cost), teacher_accuracy=accuracy)
        found = []
        for volume in (10**e for e in np.arange(2, 8.1, 0.25)):
            size = q(volume, "requests a month", 0.8 * volume, 1.2 * volume)
            there = here.model_copy(update={"monthly_requests": size, "days_covered": 30.0})
            found.append(RANK[decide(there, LIMITS, payoff_of(there)).recommendation])
        assert found == sorted(found) and {0, 2} <= set(found)


@pytest.mark.parametrize("volume", ["0", "1", "1e12"])
def test_zero_and_huge_volumes_get_an_answer(volume: str):
    advice, _ = said(numbers={"monthly_requests": volume}, money={"teacher_cost": 0.01})
    assert advice.recommendation is (R.distil if volume == "1e12" else R.keep_prompting)


def test_a_volume_of_less_than_a_week_does_not_say_that_there_are_few_requests():
    few = Quantity(value=61, low=30, high=122, unit="requests a month", origin="measured", source="the gateway")
    for covered, wanted in ((2.0, Recommendation.measure), (30.0, Recommendation.keep_prompting)):
        found = advise(Situation(task="mail", monthly_requests=few, days_covered=covered))
        assert found.recommendation is wanted and found.decided_by == ["volume"]
