"""Would more corrections help? A learning curve over parts of the training set, and what it says of the next rows.

The error falls as a power of the number of rows towards a floor (Cortes et al. 1993, Learning Curves: Asymptotic Values
and Rate of Convergence; Hestness et al. 2017, Deep Learning Scaling is Predictable, Empirically):

    error(n) = floor + (error at the first size - floor) x (n / first)^-b,    b in 0..1.5

Three sizes cannot tell a floor from a slow fall, so the floor is not fitted: each resample draws it between 0 and the
lowest error it saw (times the cube of an even number: a quarter of it on average), and what is not known shows as a
wider interval, which held the truth in 93 to 97 % of simulations with floors from nothing to all of the error.
Documents are resampled (Efron & Tibshirani 1993, chapter 13), the same ones at every size, since all sizes were asked
about the same documents; scale and b follow by maximum likelihood on a grid. Measured on the validation split, never on
the test split. Not in the interval: that another draw of rows or another seed would have given another student.

    curve([Sized(rows=50, right=(...)), Sized(rows=100, ...), Sized(rows=200, ...)], more=[500])
"""

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from evaluation.interval import Estimate, wilson
from records.errors import InputError
from records.types import Record

RESAMPLES = 2000
_EXPONENTS, _SCALES = 61, 60
_SEED = 1993


class Sized(Record):
    """A model trained on `rows` rows: whether it was right on each validation document, in one order for all sizes."""

    rows: int
    right: tuple[bool, ...]


class Point(Record):
    """One measured size: accuracy with its score interval."""

    rows: int
    accuracy: Estimate


class Forecast(Record):
    """After `more` corrections, `rows` rows to train on in all: the accuracy, and what it gains. Shares, 0..1."""

    more: int
    rows: int
    accuracy: Estimate
    gain: Estimate

    @property
    def sentence(self) -> str:
        """For people."""
        gain, after = self.gain, self.accuracy
        if gain.value is None or gain.low is None or gain.high is None or after.value is None:
            return f"What {self.more} more corrections would bring cannot be told."
        return (
            f"{self.more} more corrections would probably bring {100 * gain.value:+.1f} points of accuracy "
            f"({gain.confidence:.0%} interval {100 * gain.low:+.1f} to {100 * gain.high:+.1f}), "
            f"to {100 * after.value:.1f} %."
        )


class LearningCurve(Record):
    """What was measured and what it says. `baseline`: TF-IDF and logistic regression on the same rows and documents."""

    task: str
    dataset_version: int
    dataset_hash: str
    recipe: str
    base_model: str
    documents: int
    points: list[Point]
    forecasts: list[Forecast]
    baseline: list[Point] = Field(default_factory=list)
    baseline_forecasts: list[Forecast] = Field(default_factory=list)

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        lines = [
            f"**{self.task}: learning curve of dataset version {self.dataset_version}** "
            f"({self.base_model}, {self.recipe}; {self.documents} validation documents)",
            *(f"- {p.rows} rows: {_percent(p.accuracy)}{self._beside(p.rows)}" for p in self.points),
            *(f"- {forecast.sentence}" for forecast in self.forecasts),
            *(f"- TF-IDF: {forecast.sentence}" for forecast in self.baseline_forecasts),
        ]
        return "\n".join(lines)

    def _beside(self, rows: int) -> str:
        found = [_percent(p.accuracy) for p in self.baseline if p.rows == rows]
        return f"; TF-IDF {found[0]}" if found else ""


def points(sizes: Sequence[Sized], confidence: float = 0.95) -> list[Point]:
    """Each size's accuracy."""
    return [Point(rows=s.rows, accuracy=wilson(sum(s.right), len(s.right), confidence)) for s in sizes]


def forecasts(
    sizes: Sequence[Sized],
    more: Sequence[int],
    share: float = 1.0,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> list[Forecast]:
    """What more corrections would bring to the largest size. `share`: how many of them come to be trained on, 0..1.

    Raises InputError for fewer than two sizes, or sizes that were not asked about the same number of documents.
    """
    import numpy as np

    ordered = sorted(sizes, key=lambda size: size.rows)
    counts = {len(size.right) for size in ordered}
    if len({size.rows for size in ordered}) < 2 or len(counts) != 1 or counts == {0}:
        raise InputError(
            f"A learning curve needs two sizes or more on the same documents; these are {[s.rows for s in ordered]} "
            f"rows on {sorted(counts)} documents."
        )
    wrong = 1.0 - np.array([size.right for size in ordered], dtype=float)
    rows = np.array([size.rows for size in ordered], dtype=float)
    asked = [round(rows[-1] + share * n) for n in more]
    errors = _resampled(wrong, rows, np.array([rows[-1], *asked]), resamples)
    found = []
    for n, (extra, total) in enumerate(zip(more, asked, strict=True), start=1):
        accuracy = _estimate(1 - errors[:, n], wrong.shape[1], confidence)
        gain = _estimate(errors[:, 0] - errors[:, n], wrong.shape[1], confidence)
        found.append(Forecast(more=extra, rows=int(total), accuracy=accuracy, gain=gain))
    return found


def _resampled(wrong: Any, rows: Any, asked: Any, resamples: int) -> Any:
    """Errors (resamples x sizes asked) by the curve fitted to each resample of the documents.

    `wrong`: sizes x documents, 0 or 1.
    """
    import numpy as np

    random = np.random.default_rng(_SEED)
    n = wrong.shape[1]
    draws = random.multinomial(n, np.full(n, 1 / n), size=resamples)
    # Half a wrong and half a right answer are added to each size: a student without a fault is not sure to have none.
    misses = (draws @ wrong.T + 0.5) * n / (n + 1)
    floors = random.uniform(0, 1, resamples) ** 3 * misses.min(axis=1) / n
    relative = rows / rows[0]
    exponents = np.linspace(0, 1.5, _EXPONENTS)
    shape = relative[:, None] ** -exponents  # sizes x exponents
    found = np.empty((resamples, len(asked)))
    for r in range(resamples):
        scales = np.linspace(0, 1 - floors[r], _SCALES + 2)[1:-1]
        error = np.clip(floors[r] + scales[:, None, None] * shape, 1e-6, 1 - 1e-6)  # scales x sizes x exponents
        k = misses[r][:, None]
        likelihood = (k * np.log(error) + (n - k) * np.log1p(-error)).sum(axis=1)
        s, b = np.unravel_index(likelihood.argmax(), likelihood.shape)
        found[r] = floors[r] + scales[s] * (asked / rows[0]) ** -exponents[b]
    return found


def _estimate(values: Any, n: int, confidence: float) -> Estimate:
    import numpy as np

    low, middle, high = np.quantile(values, [(1 - confidence) / 2, 0.5, (1 + confidence) / 2])
    return Estimate(value=float(middle), low=float(low), high=float(high), n=n, confidence=confidence)


def _percent(one: Estimate) -> str:
    if one.value is None or one.low is None or one.high is None:
        return "not measured"
    return f"{one.value:.1%} ({one.low:.1%} to {one.high:.1%})"
