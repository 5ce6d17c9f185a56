"""From which confidence on labels can be accepted unseen, when at most so many of them may be wrong: risk control.

"Learn then Test" (Angelopoulos, Bates, Candes, Jordan & Lei 2021, arXiv 2110.01052) with fixed-sequence testing (their
section 3.1; Bauer 1991, Stat. Med. 10:871): thresholds are tried from the strictest down, each by an exact binomial
test of "more than the wanted share is wrong", and the first that is not refuted ends it. As the order is fixed before
any answer is looked at, no threshold tried costs the others anything, and the last one that passed keeps

    P(share wrong among labels this sure or surer <= wanted)  >=  1 - 0.05

over the drawing of the documents that people looked at. These must be like those to come: test documents are, as
content alone puts them into the test split, and so are those drawn for the audit, among labels that were accepted.
The guarantee is of one derivation; whoever derives again and again and takes the most convenient has none.
"""

import math
from collections.abc import Sequence

from evaluation.interval import Estimate
from evaluation.reliability import exact
from records.types import Record

_STEPS = 40

Seen = Sequence[tuple[float, bool]]
"""Confidence (0..1) of a label that people looked at, and whether it was right."""


class Threshold(Record):
    """A confidence from which on labels can be accepted. `wrong`: of the `looked_at` that were this sure, with its
    plain exact interval; `share`: of the test documents' labels that are this sure.
    """

    value: float
    wanted: float
    confidence: float
    looked_at: int
    wrong: Estimate
    share: float


def accept_from(
    everywhere: Seen, accepted: Seen, accepted_from: float, wanted: float, confidence: float = 0.95
) -> Threshold | None:
    """The lowest threshold that keeps the wanted share; None where not even the strictest testable one does.

    `everywhere`: looked at whatever their confidence (test documents); `accepted`: drawn at random from the labels with
    a confidence of `accepted_from` or more, and used for thresholds not below it. `wanted`: between 0 and 1.
    """
    from scipy.stats import binom

    fewest = math.ceil(math.log(1 - confidence) / math.log(1 - wanted))  # with fewer not even none wrong shows anything
    best = None
    for value in _thresholds([c for c, _ in everywhere]):
        inside = [right for c, right in everywhere if c >= value]
        inside += [right for c, right in accepted if c >= value] if value >= accepted_from else []
        if len(inside) < fewest:
            continue
        wrong = len(inside) - sum(inside)
        if binom.cdf(wrong, len(inside), wanted) > 1 - confidence:
            break
        share = sum(c >= value for c, _ in everywhere) / len(everywhere)
        best = Threshold(
            value=value,
            wanted=wanted,
            confidence=confidence,
            looked_at=len(inside),
            wrong=exact(wrong, len(inside), confidence),
            share=share,
        )
    return best


def _thresholds(confidences: Sequence[float]) -> list[float]:
    """The confidences at each fortieth of the labels, the strictest first: they do not look at which were right.

    Rounded down to four digits, so that what is written into a file is what was tested.
    """
    ordered = sorted(confidences, reverse=True)
    steps = [ordered[math.ceil(len(ordered) * n / _STEPS) - 1] for n in range(1, _STEPS + 1)] if ordered else []
    return sorted({math.floor(step * 10_000) / 10_000 for step in steps}, reverse=True)
