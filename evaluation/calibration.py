"""From what a teacher states to how often it is right: Platt's scaling, fitted on people's answers to test documents.

    curve = fit(pairs)              pairs: stated confidence (0..1), and whether people say the same; None: too few
    curve.of(0.97)                  -> 0.61

A logistic curve over the log-odds of the stated confidence (Platt 1999, in "Advances in Large Margin Classifiers",
p. 61), with his targets: right counts as (n+1)/(n+2) and wrong as 1/(m+2), so that a few answers do not say "always".
Its slope is not below zero: whoever states more never counts as less; where confidence says nothing, all count alike.

Why not isotonic regression (Zadrozny & Elkan 2002, KDD, p. 694), which takes any form? It needs about a thousand
answers (Niculescu-Mizil & Caruana 2005, ICML, p. 625), and here are some hundred. Its highest step is what the few
surest answers came to, and that step is what would be trusted: of teachers that are right on 60 % whatever they state,
it found in two of three draws of 100 answers labels "right above 90 %"; Platt's scaling in none (a test repeats it).
Beta calibration (Kull, Silva Filho & Flach 2017, AISTATS, p. 623), with one parameter more, was no better.
"""

from collections.abc import Sequence
from typing import Any

from records.calibrations import Curve, log_odds

ENOUGH = 100
"""Answers. With fewer the curve moves by more than it mends; the gate wants as many test documents by default."""


def fit(pairs: Sequence[tuple[float, bool]]) -> Curve | None:
    """The curve through these answers; None where they are fewer than `ENOUGH`, or all right, or all wrong."""
    right = sum(ok for _, ok in pairs)
    if len(pairs) < ENOUGH or right in (0, len(pairs)):
        return None
    stated = [log_odds(confidence) for confidence, _ in pairs]
    counts_as = {True: (right + 1) / (right + 2), False: 1 / (len(pairs) - right + 2)}
    slope, intercept = _logistic(stated, [counts_as[ok] for _, ok in pairs])
    low, high = min(c for c, _ in pairs), max(c for c, _ in pairs)
    return Curve(slope=slope, intercept=intercept, low=low, high=high, answers=len(pairs), right=right)


def _logistic(x: Sequence[float], targets: Sequence[float]) -> tuple[float, float]:
    """Slope (not below zero) and intercept of the likeliest logistic curve through targets between 0 and 1."""
    import numpy as np
    from scipy.optimize import minimize

    odds, wanted = np.asarray(x), np.asarray(targets)

    def loss(curve: Any) -> tuple[float, Any]:
        """The negative log-likelihood and its gradient."""
        said = curve[0] * odds + curve[1]
        over = 1 / (1 + np.exp(-said)) - wanted
        return float((np.logaddexp(0, said) - wanted * said).sum()), np.array([(over * odds).sum(), over.sum()])

    level = [0.0, log_odds(float(wanted.mean()))]
    found = minimize(loss, level, jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)], tol=1e-10)
    return float(found.x[0]), float(found.x[1])
