"""Confidences again, from the scores that labels keep: another baseline, another temperature, and no call.

    row = logits(label)                              scores by label as logarithms, whether scored or voted
    baseline = batch_baseline(rows)                  what the prompt alone makes the model say, from its own answers
    temperature = fit_temperature(rows, gold)        how far its confidence is to be believed, from people's answers
    choose(row, baseline, temperature)               -> ("lease", 0.48)        (`prompts.scoring`)

Pure functions over labels of a choice. An object's scores are the agreement of its fields, which have no such softmax.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from prompts.scoring import log_sum
from records.types import Label

Scores = Mapping[str, float]
_SMOOTHING = 0.5
_COLDEST, _HOTTEST = 0.02, 50.0


def logits(label: Label) -> dict[str, float] | None:
    """A choice's scores as logarithms; None where the label keeps none (generated once, unreadable, an object).

    Shares of k samples are smoothed by half a vote a label (Krichevsky & Trofimov 1981), so that none is impossible.
    """
    if not label.scores or not isinstance(label.value, str):
        return None
    if not label.samples:
        return dict(label.scores)
    k, count = len(label.samples), len(label.scores)
    return {n: math.log((k * s + _SMOOTHING) / (k + _SMOOTHING * count)) for n, s in label.scores.items()}


def batch_baseline(rows: Sequence[Scores]) -> dict[str, float]:
    """The mean score of each label over many documents, to be subtracted: batch calibration, here of logarithms.

    Zhou et al. 2024, "Batch Calibration" (arXiv 2309.17249). It assumes that the documents are about evenly of all
    labels, as calibration without content assumes of none. Takes at least one row; all have the same labels.
    """
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def fit_temperature(rows: Sequence[Scores], gold: Sequence[str], baseline: Scores | None = None) -> float:
    """The temperature that makes people's answers likeliest (Guo et al. 2017, arXiv 1706.04599).

    Above 1: the model is surer than it should be. It changes no answer, only how sure it is. 1 without rows; between
    0.02 and 50. Measured on the documents that it was fitted on it looks better than it is: keep some apart.
    """
    shifted = [{n: s - (baseline or {}).get(n, 0.0) for n, s in row.items()} for row in rows]
    pairs = [(list(row.values()), row[name]) for row, name in zip(shifted, gold, strict=True) if name in row]
    if not pairs:
        return 1.0

    def surprise(log_temperature: float) -> float:
        warmth = math.exp(-log_temperature)
        return sum(log_sum([s * warmth for s in scores]) - right * warmth for scores, right in pairs)

    return math.exp(_lowest(surprise, math.log(_COLDEST), math.log(_HOTTEST)))


def _lowest(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one valley is lowest, by golden section (the surprise is convex in 1/temperature)."""
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > 1e-6:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = function(right)
    return (low + high) / 2
