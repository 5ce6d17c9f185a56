"""Do suggestions lead people? How often they agree with the teacher where its answer was shown, and where it was not.

A random few training documents go to the desk without the suggestion that they would have had (`unprompted`). Their
reviewers cannot have been led, so what they agree on with the teacher less often than others do is what showing it
does. Shown and unprompted documents are compared at like confidence of the teacher (tenths), so that the groups may be
of different difficulty: the difference is Mantel-Haenszel's risk difference over these strata, its variance that of
Sato, Greenland & Robins (1989, Biometrics 45:1323-1324), good for many strata with few documents each. One answer a
document counts, its first, so that the documents are independent.

It is not a fault by itself: part of it is that a person who sees a good suggestion makes fewer slips. Whether the
answers got better is for second readings to tell.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from evaluation import wording
from evaluation.agreement import key
from evaluation.interval import Estimate, normal_quantile, wilson
from records.types import Answer, Correction, DeskRecord, Record

OTHERWISE = frozenset({"random check", "rare label"})
"""Reasons of documents that were drawn from others than the unprompted ones are drawn from (`review.routing`)."""
_NO_CONFIDENCE = -1


class Anchoring(Record):
    """Agreement with the teacher, shown and not; `difference`: shown minus not, at like confidence."""

    shown: Estimate
    unprompted: Estimate
    difference: Estimate

    @property
    def text(self) -> str:
        """In a sentence."""
        said = (
            f"People agreed with the teacher on {wording.share(self.shown)} of {self.shown.n:,} documents where they "
            f"saw its answer, on {wording.share(self.unprompted)} of {self.unprompted.n:,} where they did not"
        )
        return f"{said}: at like confidence {wording.points(self.difference)}."


def anchoring(
    sent: Mapping[str, DeskRecord],
    corrections: Sequence[Correction],
    teacher: Mapping[str, tuple[Answer, float | None]],
    test: frozenset[str] | set[str],
    confidence: float = 0.95,
) -> Anchoring | None:
    """Compare the two. `teacher`: document -> its answer and confidence; `test`: ids of the test split, which are blind
    for another reason and are left out, as is all that was routed for one of `OTHERWISE`. None where a group is empty.
    """
    counts: Counter[tuple[int, bool, bool]] = Counter()
    first = {r.document_id: r for r in reversed(corrections) if r.value is not None and not r.discarded}
    for document_id, row in first.items():
        record = sent.get(document_id)
        if record is None or record.reason in OTHERWISE or document_id in test or document_id not in teacher:
            continue
        if not record.blind and record.suggestion is None:
            continue
        answer, sure = teacher[document_id]
        shown = answer if record.blind else record.suggestion
        stratum = _NO_CONFIDENCE if sure is None else min(9, int(10 * sure))
        counts[stratum, not record.blind, key(row.value) == key(shown)] += 1
    tables = {
        s: tuple(counts[s, seen, agreed] for seen in (True, False) for agreed in (True, False)) for s, _, _ in counts
    }
    strata = [(a, a + b, c, c + d) for a, b, c, d in tables.values()]
    if not sum(n for _, n, _, _ in strata) or not sum(n for _, _, _, n in strata):
        return None
    return Anchoring(
        shown=wilson(sum(s[0] for s in strata), sum(s[1] for s in strata), confidence),
        unprompted=wilson(sum(s[2] for s in strata), sum(s[3] for s in strata), confidence),
        difference=risk_difference(strata, confidence),
    )


def risk_difference(strata: Sequence[tuple[int, int, int, int]], confidence: float = 0.95) -> Estimate:
    """Mantel-Haenszel's risk difference of strata (hits, n of the first group; hits, n of the second).

    A stratum in which one group has nobody says nothing. None where none is left.
    """
    both = [(a, n1, c, n2) for a, n1, c, n2 in strata if n1 and n2]
    weight = sum(n1 * n2 / (n1 + n2) for _, n1, _, n2 in both)
    n = sum(n1 + n2 for _, n1, _, n2 in both)
    if not weight:
        return Estimate(value=None, low=None, high=None, n=0, confidence=confidence)
    value = sum((a * n2 - c * n1) / (n1 + n2) for a, n1, c, n2 in both) / weight
    p, q = 0.0, 0.0
    for a, n1, c, n2 in both:
        total = n1 + n2
        p += (n1**2 * c - n2**2 * a + n1 * n2 * (n2 - n1) / 2) / total**2
        q += (a * (n2 - c) + c * (n1 - a)) / (2 * total)
    half = normal_quantile(confidence) * math.sqrt(max(0.0, value * p + q)) / weight
    return Estimate(value=value, low=max(-1.0, value - half), high=min(1.0, value + half), n=n, confidence=confidence)
