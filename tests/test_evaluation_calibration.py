"""A confidence as people's answers read it: never falling, right out of sample, and no trust where there is none."""

import math

import numpy as np
import pytest

from evaluation.audit import Accepted, audit
from evaluation.calibration import ENOUGH, fit
from evaluation.reliability import calibration_error, table
from evaluation.risk import accept_from
from records.calibrations import Curve


def teacher(seed: int, count: int, over: float = 3.0, share: float | None = None) -> list[tuple[float, bool]]:
    """Answers of a teacher whose log-odds are `over` times too large, or that is right on this `share` whatever."""
    draw = np.random.default_rng(seed)
    odds = np.abs(draw.normal(4, 2.5, count))
    likely = np.full(count, share) if share else 1 / (1 + np.exp(-odds / over))
    right = draw.random(count) < likely
    return [(float(1 / (1 + math.exp(-x))), bool(ok)) for x, ok in zip(odds, right, strict=True)]


def error(pairs: list[tuple[float, bool]]) -> float:
    return calibration_error(table(pairs))


@pytest.mark.parametrize(
    "stated",
    [
        lambda draw: draw.random(150),
        lambda draw: draw.integers(0, 6, 150) / 5,  # shares of five samples
        lambda draw: np.where(draw.random(150) < 0.9, 1.0, draw.random(150)),
        lambda draw: np.full(150, 0.9),
        lambda draw: 1 - 10 ** -draw.uniform(1, 12, 150),
    ],
)
@pytest.mark.parametrize("right", [lambda c, draw: draw.random(150) < c, lambda c, draw: draw.random(150) > c])
def test_whoever_states_more_never_counts_as_less_and_on_the_mean_the_curve_is_right(stated, right):
    draw = np.random.default_rng(7)
    confidences = stated(draw)
    answers = right(confidences, draw)
    curve = fit([*zip(confidences, map(bool, answers), strict=True), (0.5, True), (0.9, False)])
    counts = [curve.of(c) for c in sorted([*confidences, 0.0, 1.0])]
    assert counts == sorted(counts) and all(0 <= one <= 1 for one in counts)
    assert np.mean([curve.of(c) for c in confidences]) == pytest.approx(np.mean(answers), abs=0.02)


@pytest.mark.parametrize("count", [ENOUGH, 300])
def test_an_overconfident_teacher_is_put_right_out_of_sample(count):
    before = after = 0.0
    for seed in range(20):
        curve, others = fit(teacher(seed, count)), teacher(1_000 + seed, 2_000)
        before += error(others) / 20
        after += error([(curve.of(c), ok) for c, ok in others]) / 20
    assert before > 0.15 and after < before / 3


def test_a_confidence_that_is_right_stays_about_as_it_is():
    curves = [fit(teacher(seed, 300, over=1.0)) for seed in range(20)]
    assert np.mean([abs(c.of(x) - x) for c in curves for x in (0.7, 0.9, 0.97)]) < 0.03


def test_where_confidence_says_nothing_nothing_is_trusted_and_isotonic_regression_would_trust():
    """Why Platt's scaling: of a teacher that is right on 60 % whatever it states, no label is called 90 % right."""
    from sklearn.isotonic import IsotonicRegression

    fooled = 0
    for seed in range(60):
        pairs = teacher(seed, ENOUGH, share=0.6)
        assert fit(pairs).reaches(0.9) is None
        stated, right = zip(*pairs, strict=True)
        fooled += IsotonicRegression().fit(stated, right).predict([max(stated)])[0] >= 0.9
    assert fooled > 30


def test_too_few_answers_or_one_outcome_give_no_curve():
    assert fit(teacher(1, ENOUGH - 1)) is None and fit(teacher(1, ENOUGH)) is not None
    assert fit([(0.9, True)] * 200) is None and fit([(0.9, False)] * 200) is None


def test_a_curve_is_level_beyond_what_it_was_fitted_on_and_says_what_reaches_a_share():
    curve = Curve(slope=0.5, intercept=0.0, low=0.5, high=0.99, answers=100, right=60)
    assert curve.of(0.999) == curve.of(0.99) == pytest.approx(0.9087, abs=1e-4)
    assert curve.of(0.1) == curve.of(0.5) == 0.5
    assert curve.reaches(0.75) == pytest.approx(0.9) and curve.of(0.9) == pytest.approx(0.75)
    assert curve.reaches(0.95) is None and curve.reaches(0.4) == 0.5
    assert curve.model_copy(update={"slope": 0.0}).reaches(0.6) is None


def test_the_bound_of_the_audit_holds_at_every_look_for_what_a_calibration_accepts():
    """60 campaigns: accepted by a curve of other documents, checked thirty at a time in the order of draws."""
    held = 0
    for seed in range(60):
        curve, draw = fit(teacher(seed, 150)), np.random.default_rng(seed)
        chosen = [ok for c, ok in teacher(5_000 + seed, 600) if curve.of(c) >= 0.8]
        labels = [Accepted(str(n), "x", float(d), 0, 0.9, None) for n, d in enumerate(draw.random(len(chosen)))]
        labels.sort(key=lambda one: one.draw)
        right, fine = {one.document_id: chosen[int(one.document_id)] for one in labels}, True
        for looked in range(0, min(len(labels), 120) + 1, 30):
            seen = [x._replace(right=right[x.document_id]) if n < looked else x for n, x in enumerate(labels)]
            left = sum(not right[x.document_id] for x in seen[looked:])
            fine = fine and left <= audit(seen, 0.05).at_most * len(labels) + 1e-9
        held += fine
    assert held >= 57 - 3 * math.sqrt(60 * 0.05 * 0.95)  # 95 %, less three standard errors of 60 campaigns


@pytest.mark.parametrize("share", [None, 0.9])
def test_a_threshold_derived_on_the_answers_that_a_curve_was_fitted_on_keeps_what_it_says(share):
    """A curve that never falls changes no order, so the sets that are tested are those of the stated confidence."""
    derived = broken = 0
    for seed in range(100):
        pairs = teacher(seed, 200, over=1.5, share=share)
        curve = fit(pairs)
        found = accept_from([(curve.of(c), ok) for c, ok in pairs], [], 1.0, 0.12)
        if found:
            derived += 1
            inside = [ok for c, ok in teacher(9_000 + seed, 2_000, over=1.5, share=share) if curve.of(c) >= found.value]
            broken += 1 - sum(inside) / len(inside) > 0.14  # beyond what 2,000 others scatter
    assert derived >= 10 and broken <= 5
