"""What looking at a document is worth, and the order of the queue. Pure arithmetic; every draw follows from content.

    worth_of(label, opinion)          0..1, how likely the teacher's answer is wrong, by its calibrated confidence
    draw_of(document_id, "audit")     0..1, as good as drawn at random, the same for ever
    in_turn([test, audits, others])   one queue in which each is as far along as the others

`worth_of` multiplies the odds of two opinions, as if teacher and student erred independently (Hinton 2002, Neural
Computation 14:1771: a product of experts). They do not quite: a student learnt from its teacher's labels. So it is an
order, not a probability to rely on; what can be relied on is measured from random checks (`evaluation.audit`).

Permanent random numbers (Ohlsson 1995, in "Business Survey Methods", p. 153): the lowest draws among any documents are
a random sample of them, later samples go on where earlier ones ended, and new documents fall in between.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from records.types import DeskRecord, Label

_SURE = 1e-6

Calibrated = Callable[[float], float]
"""From a stated confidence to how often answers so sure are right; it never falls."""


class Opinion(NamedTuple):
    """What the student makes of the teacher's answer: whether it says the same, and how likely it finds it (0..1)."""

    agrees: bool
    support: float


def as_stated(confidence: float) -> float:
    """What a confidence counts as before there is a calibration."""
    return confidence


def worth_of(label: Label, opinion: Opinion | None = None, calibrated: Calibrated = as_stated) -> float:
    """How likely this answer is wrong, by its confidence and the student's opinion; 1 where there is no answer."""
    if label.value is None:
        return 1.0
    sure = None if label.confidence is None else calibrated(label.confidence)
    if opinion is None:
        return 1.0 - (sure or 0.0)
    if sure is None:
        return 1.0 - opinion.support
    right, support = _inside(sure), _inside(opinion.support)
    wrong = (1 - right) * (1 - support)
    return wrong / (wrong + right * support)


def draw_of(document_id: str, purpose: str) -> float:
    """A document's number for one purpose, 0..1; draws for two purposes have nothing to do with each other."""
    drawn = hashlib.blake2b(f"{purpose} {document_id}".encode(), digest_size=8).digest()
    return int.from_bytes(drawn, "big") / 2**64


def in_turn(rows: Sequence[Sequence[DeskRecord]]) -> list[DeskRecord]:
    """One queue of several, each in its order and spread evenly, with `worth` falling from 1 (first) towards 0.

    Whoever stops half-way has answered half of each: gold as well as corrections. As `worth` is a share of the queue,
    a later round's records fall in among those of an earlier one that are still waiting.
    """
    placed = [((n + 0.5) / len(row), which, record) for which, row in enumerate(rows) for n, record in enumerate(row)]
    placed.sort(key=lambda one: one[:2])
    return [
        record.model_copy(update={"worth": round(1 - n / len(placed), 6)}) for n, (_, _, record) in enumerate(placed)
    ]


def _inside(share: float) -> float:
    return min(1 - _SURE, max(_SURE, share))
