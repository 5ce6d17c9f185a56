"""The learning curve: what was measured, what is forecast, and that the interval holds the truth."""

from collections.abc import Callable

import numpy as np
import pytest

from evaluation.learning_curve import LearningCurve, Sized, forecasts, points
from records.errors import InputError

SIZES = (50, 100, 200)


def drawn(error: Callable[[float], float], documents: int, seed: int) -> list[Sized]:
    """Students of three sizes on the same documents, some of which are hard for all."""
    random = np.random.default_rng(seed)
    hard = random.random(documents)
    found = []
    for rows in SIZES:
        chance = np.where(random.random(documents) < 0.6, hard, random.random(documents))
        found.append(Sized(rows=rows, right=tuple((chance > error(rows)).tolist())))
    return found


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (lambda n: 0.05 + 0.6 * (n / 50) ** -0.5, "a low floor"),
        (lambda n: 0.2 + 0.45 * (n / 50) ** -0.7, "a high floor"),
        (lambda n: 0.5 * (n / 50) ** -0.4, "no floor"),
        (lambda n: 0.25, "nothing is learnt any more"),
    ],
)
def test_the_interval_of_the_gain_holds_the_truth(error: Callable[[float], float], name: str):
    held, runs = 0, 25
    truth = error(200) - error(700)
    for seed in range(runs):
        [forecast] = forecasts(drawn(error, 80, seed), [500], resamples=150)
        held += forecast.gain.low - 1e-9 <= truth <= forecast.gain.high  # type: ignore[operator]
    assert held >= 0.8 * runs, name


def test_more_rows_bring_more_the_further_the_less_sure():
    near, far = forecasts(drawn(lambda n: 0.05 + 0.6 * (n / 50) ** -0.5, 200, 1), [100, 2000], resamples=300)
    assert 0 < near.gain.value < far.gain.value  # type: ignore[operator]
    assert near.gain.high - near.gain.low < far.gain.high - far.gain.low  # type: ignore[operator]
    assert near.accuracy.value < far.accuracy.value < 1  # type: ignore[operator]
    assert near.sentence.startswith("100 more corrections would probably bring +") and "interval" in near.sentence


def test_of_corrections_only_a_share_comes_to_be_trained_on():
    sizes = drawn(lambda n: 0.3, 40, 1)
    assert forecasts(sizes, [500], share=0.7, resamples=50)[0].rows == 200 + 350


def test_a_student_without_a_fault_promises_little_and_is_not_sure():
    perfect = [Sized(rows=rows, right=(True,) * 30) for rows in SIZES]
    [forecast] = forecasts(perfect, [500], resamples=200)
    assert 0 <= forecast.gain.value < 0.02 and 0.95 < forecast.accuracy.value < 1  # type: ignore[operator]


@pytest.mark.parametrize("sizes", [[(50, 10)], [(50, 10), (50, 10)], [(50, 10), (100, 9)], [(50, 0), (100, 0)]])
def test_too_little_is_refused_with_what_there_is(sizes: list[tuple[int, int]]):
    with pytest.raises(InputError, match="needs two sizes or more on the same documents"):
        forecasts([Sized(rows=rows, right=(True,) * n) for rows, n in sizes], [500])


def test_the_record_survives_json_and_tells_the_curve():
    sizes = drawn(lambda n: 0.3, 40, 1)
    curve = LearningCurve(
        task="mail",
        dataset_version=3,
        dataset_hash="ab",
        recipe="cpu-135m",
        base_model="smollm2-135m-instruct",
        documents=40,
        points=points(sizes),
        forecasts=forecasts(sizes, [500], resamples=50),
        baseline=points(sizes[:1]),
    )
    assert LearningCurve.model_validate_json(curve.model_dump_json()) == curve
    assert "- 50 rows: " in curve.text and "; TF-IDF " in curve.text and "500 more corrections" in curve.text
