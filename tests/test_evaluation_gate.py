"""The gate approves, rejects, or says that it cannot tell; and it errs as rarely as it promises."""

import math
import random
from functools import cache

import pytest
from scipy.stats import multinomial

from evaluation.aggregate import Measured, measure
from evaluation.compare import Paired, pair
from evaluation.gate import Rule, State, decide, further_documents, gold_hash, rule_hash
from evaluation.interval import Estimate, paired_difference
from evaluation.score import score
from records.types import Decision, Outcome

RULE = Rule(margin=0.03, p95_latency_ms=200, max_cost_ratio=0.5, max_unreadable_rate=0.02, min_test_documents=100)


def figure(value: float) -> Estimate:
    return Estimate(value=value, low=value, high=value, n=200, confidence=0.95)


def model(role: str, cost: float | None = 1.0, p95: float | None = 0.1, no_answer: int = 0) -> Measured:
    outcomes = [Outcome.unreadable] * no_answer + [Outcome.answered] * (200 - no_answer)
    scored = [score(f"{i:03}", outcome, "a", "a") for i, outcome in enumerate(outcomes)]
    return measure(role, role, scored).model_copy(
        update={
            "latency_p95_s": None if p95 is None else figure(p95),
            "cost_per_1000_usd": None if cost is None else figure(cost),
        }
    )


@cache
def paired(first_only: int, second_only: int, n: int, confidence: float = 0.95) -> Paired:
    return Paired(
        first="student",
        second="teacher",
        documents=n,
        both=n - first_only - second_only,
        first_only=first_only,
        second_only=second_only,
        neither=0,
        credited=0,
        difference=paired_difference(first_only, second_only, n, confidence),
        mcnemar_p=1.0,
    )


TEACHER, STUDENT = model("teacher", cost=4.0), model("student", cost=0.1)


def test_a_better_student_within_all_budgets_is_approved():
    ruling = decide(RULE, TEACHER, STUDENT, paired(30, 5, 200))
    assert ruling.decision is Decision.approved
    assert {axis.state for axis in ruling.axes} == {State.met}
    assert "+12.5 points" in ruling.reasons[0]


def test_a_significantly_worse_student_is_rejected():
    assert decide(RULE, TEACHER, STUDENT, paired(5, 40, 200)).decision is Decision.rejected


def test_an_interval_across_the_margin_is_inconclusive_and_says_how_many_documents_more():
    ruling = decide(RULE, TEACHER, STUDENT, paired(12, 14, 200))
    assert ruling.decision is Decision.inconclusive
    assert ruling.more_documents is not None and ruling.more_documents > 200
    assert f"{ruling.more_documents:,} more human-checked test documents" in ruling.reasons[0]


def test_too_few_documents_approve_nobody():
    ruling = decide(RULE, TEACHER, STUDENT, paired(40, 0, 60))
    assert ruling.decision is Decision.inconclusive
    assert ruling.more_documents == 40
    assert "at least 100 test documents" in ruling.reasons[0]


@pytest.mark.parametrize(
    ("student", "said"),
    [
        (model("student", cost=0.1, p95=0.3), "300 ms (300 to 300), over the budget of 200 ms"),
        (model("student", cost=3.0), "75.0 % of it, over the limit of 50.0 %"),
        (model("student", cost=0.1, no_answer=5), "no readable answer on 2.5 %"),
    ],
)
def test_a_broken_budget_rejects_however_accurate_the_student_is(student: Measured, said: str):
    ruling = decide(RULE, TEACHER, student, paired(30, 5, 200))
    assert ruling.decision is Decision.rejected
    assert said in ruling.reasons[0]


def test_a_teacher_that_costs_nothing_makes_the_cost_axis_not_applicable():
    for free in (model("teacher", cost=0.0), model("teacher", cost=None)):
        ruling = decide(RULE, free, STUDENT, paired(30, 5, 200))
        cost = next(axis for axis in ruling.axes if axis.name == "cost")
        assert cost.state is State.not_applicable and "cost nothing" in cost.sentence
        assert ruling.decision is Decision.approved


def test_a_machine_without_a_price_is_said_to_have_none():
    ruling = decide(RULE, TEACHER, model("student", cost=0.0), paired(30, 5, 200))
    assert ruling.decision is Decision.approved
    assert any("has no price" in reason for reason in ruling.reasons)


def test_what_was_not_measured_is_not_taken_for_met():
    for student in (model("student", cost=None), model("student", cost=0.1, p95=None)):
        assert decide(RULE, TEACHER, student, paired(30, 5, 200)).decision is Decision.inconclusive


def test_without_budgets_only_accuracy_and_answers_count():
    student = model("student", cost=None, p95=None)
    assert decide(Rule(margin=0.03), TEACHER, student, paired(30, 5, 200)).decision is Decision.approved


def test_an_outage_of_the_teacher_neither_flatters_nor_condemns_the_student():
    teacher = [score(f"{i:03}", Outcome.failed, None, "a") for i in range(200)]
    student = [score(f"{i:03}", Outcome.answered, "a" if i < 150 else "b", "a") for i in range(200)]
    against = pair(student, teacher, ("student", "teacher"), 0.95, credit=True)
    assert against.credited == 200 and against.first_only == 0
    ruling = decide(RULE, TEACHER, STUDENT, against)
    assert ruling.decision is Decision.inconclusive
    assert "Ask the teacher again" in ruling.reasons[0]


def chance_of(decision: Decision, n: int, difference: float, discordant: float, rule: Rule) -> float:
    """The probability of a decision, added up over every table that can occur."""
    p, q = (discordant + difference) / 2, (discordant - difference) / 2
    most, total = min(n, int(n * discordant + 8 * math.sqrt(n * discordant))), 0.0
    for first in range(most + 1):
        for second in range(most + 1 - first):
            weight = float(multinomial.pmf([first, second, n - first - second], n, [p, q, 1 - p - q]))
            if weight > 1e-6 and decide(rule, TEACHER, STUDENT, paired(first, second, n)).decision is decision:
                total += weight
    return total


@pytest.mark.parametrize(("n", "margin", "discordant"), [(150, 0.03, 0.1), (150, 0.03, 0.25), (300, 0.02, 0.08)])
def test_a_student_truly_worse_by_the_margin_is_approved_in_2_5_percent_of_test_sets(
    n: int, margin: float, discordant: float
):
    rule = RULE.model_copy(update={"margin": margin})
    assert chance_of(Decision.approved, n, -margin, discordant, rule) < 0.028
    assert chance_of(Decision.approved, n, -1.5 * margin, discordant, rule) < 0.01


def test_simulated_worse_students_are_rarely_approved_and_better_ones_mostly():
    """The same by drawing documents one by one, as a check on the sums above."""
    source, worse, better, rounds = random.Random(7), 0, 0, 600
    for _ in range(rounds):
        for gain, loss in ((0.06, 0.09), (0.12, 0.06)):
            draws = [source.random() for _ in range(200)]
            first, second = sum(x < gain for x in draws), sum(gain <= x < gain + loss for x in draws)
            approved = decide(RULE, TEACHER, STUDENT, paired(first, second, 200)).decision is Decision.approved
            worse, better = worse + (approved and gain < loss), better + (approved and gain > loss)
    assert worse / rounds < 0.05
    assert better / rounds > 0.8


def test_as_many_documents_as_were_advised_decide_with_about_the_promised_power():
    start = paired(10, 10, 200)
    more = further_documents(RULE, start)
    assert more is not None
    power = chance_of(Decision.approved, 200 + more, 0.0, 20 / 200, RULE)
    assert 0.75 < power < 0.92


def test_a_difference_on_the_margin_is_not_promised_to_be_decidable():
    rule = RULE.model_copy(update={"margin": 0.05})
    assert further_documents(rule, paired(10, 20, 200)) is None or further_documents(rule, paired(10, 20, 200)) > 10_000


def test_hashes_name_the_numbers_and_the_gold_and_not_their_order():
    assert rule_hash(RULE) == rule_hash(Rule.model_validate(dict(reversed(RULE.model_dump().items()))))
    assert rule_hash(RULE) != rule_hash(RULE.model_copy(update={"margin": 0.031}))
    assert gold_hash({"1": "a", "2": {"x": 1, "y": 2}}) == gold_hash({"2": {"y": 2, "x": 1}, "1": "a"})
    assert gold_hash({"1": "a"}) != gold_hash({"1": "b"}) != gold_hash({"2": "b"})
