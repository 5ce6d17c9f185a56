"""Intervals agree with published examples, cover as often as they say, and stay within what is possible."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multinomial

from evaluation.interval import mcnemar_exact, mean, paired_difference, quantile, wilson
from evaluation.resample import f1_scores


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_agrees_with_the_worked_examples_of_newcombe_1998(successes: int, n: int, low: float, high: float):
    """Statistics in Medicine 17:857-872, table I, method 3."""
    estimate = wilson(successes, n)
    assert (round(estimate.low, 4), round(estimate.high, 4)) == (low, high)


def test_the_paired_interval_agrees_with_published_tango_intervals():
    """Fagerland, Lydersen & Laake 2017, Statistical Analysis of Contingency Tables, chapter 8 (Bentur, Cavo)."""
    airway, response = paired_difference(1, 7, 21), paired_difference(6, 16, 161)
    assert (round(airway.low, 3), round(airway.high, 3)) == (-0.517, -0.026)
    assert (round(response.low, 4), round(response.high, 4)) == (-0.1240, -0.0054)


def test_mcnemar_agrees_with_the_published_example():
    assert mcnemar_exact(6, 16) == pytest.approx(0.052479, abs=1e-6)
    assert mcnemar_exact(0, 0) == 1.0
    assert mcnemar_exact(5000, 5100) == pytest.approx(0.325, abs=0.005)


counts = st.integers(0, 60)


@settings(deadline=None)
@given(counts, counts, counts)
def test_the_paired_interval_holds_its_estimate_and_turns_with_the_models(first: int, second: int, same: int):
    n = first + second + same
    if n == 0:
        assert paired_difference(0, 0, 0).value is None
        return
    one, other = paired_difference(first, second, n), paired_difference(second, first, n)
    assert -1 <= one.low <= one.value <= one.high <= 1
    assert one.low == pytest.approx(-other.high, abs=1e-9)
    assert one.high == pytest.approx(-other.low, abs=1e-9)


@settings(deadline=None)
@given(st.integers(0, 500), st.integers(0, 500), st.floats(0.6, 0.999))
def test_wilson_holds_its_proportion_and_widens_with_confidence(right: int, wrong: int, confidence: float):
    estimate = wilson(right, right + wrong, confidence)
    if right + wrong == 0:
        assert estimate.value is None
        return
    surer = wilson(right, right + wrong, (1 + confidence) / 2)
    assert 0 <= surer.low <= estimate.low <= estimate.value <= estimate.high <= surer.high <= 1


@pytest.mark.parametrize(("n", "difference", "discordant"), [(150, -0.03, 0.1), (300, -0.02, 0.08), (100, 0.0, 0.1)])
def test_the_paired_interval_covers_the_truth_as_often_as_it_says(n: int, difference: float, discordant: float):
    """By adding up the probability of every table that can occur, so without chance."""
    p, q = (discordant + difference) / 2, (discordant - difference) / 2
    most = int(n * discordant + 8 * math.sqrt(n * discordant))
    covered = 0.0
    for first in range(most + 1):
        for second in range(most + 1 - first):
            weight = multinomial.pmf([first, second, n - first - second], n, [p, q, 1 - p - q])
            if weight > 1e-7:
                estimate = paired_difference(first, second, n)
                covered += weight * (estimate.low <= difference <= estimate.high)
    assert 0.935 < covered < 0.975


def test_the_interval_of_p95_covers_the_true_p95():
    source, hits, rounds, truth = random.Random(1), 0, 400, -math.log(0.05)
    for _ in range(rounds):
        estimate = quantile([source.expovariate(1) for _ in range(150)], 0.95)
        hits += estimate.low <= truth <= estimate.high
    assert hits / rounds > 0.93


def test_p95_has_no_upper_bound_before_72_values():
    assert quantile([1.0] * 71, 0.95).high is None
    assert quantile([1.0] * 72, 0.95).high == 1.0


def test_few_values_give_no_bounds_instead_of_wrong_ones():
    assert mean([]).value is None
    assert (mean([3.0]).value, mean([3.0]).low) == (3.0, None)
    assert quantile([], 0.5).value is None


def test_f1_agrees_with_scikit_learn_and_unreadable_answers_only_cost_recall():
    from sklearn.metrics import f1_score

    source = random.Random(3)
    pairs = [(source.choice("abcd"), source.choice(["a", "b", "c", None])) for _ in range(200)]
    macro, by_label = f1_scores(pairs, ["a", "b", "c", "d"])
    gold, answers = [g for g, _ in pairs], [a or "(none)" for _, a in pairs]
    theirs = f1_score(gold, answers, labels=["a", "b", "c", "d"], average=None, zero_division=0)
    assert [by_label[k].value for k in "abcd"] == pytest.approx(list(theirs))
    assert macro.value == pytest.approx(sum(theirs) / 4)
    assert macro.low < macro.value < macro.high


def test_the_bootstrap_gives_the_same_interval_twice():
    pairs = [("a", "a"), ("a", "b"), ("b", "b"), ("b", None)] * 10
    assert f1_scores(pairs, ["a", "b"]) == f1_scores(list(reversed(pairs)), ["a", "b"])
