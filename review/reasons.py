"""Why a person should look at a document. Pure functions of an answer; `review.routing` chooses by them.

- Every document of the test split, *blind* (without the teacher's answer): it is what the gate measures with.
- What the teacher could not answer readably, or refused.
- What it answered with less confidence than `trust_above`, or without saying how sure it is; the likeliest wrong first.
  A confidence counts as what it was worth on test documents, once that was measured (`evaluation.calibration`).
- What the student answers otherwise, once there is one, however sure the teacher is.
- Labels that hardly any document has.
- Of what is *accepted* then, a random check (`review.worth.draw_of`). Blind, as the test split: who is shown an answer
  tends to agree with it, and the check would find fewer errors than there are. A choice without a suggestion costs the
  reviewer a moment more, and its answer is gold that nobody was led to.
- A random few of the doubtful ones without their suggestion: beside the others they show how far a suggestion leads.

Of near-duplicates one is asked about. Nobody is asked about a document that is withheld: it would be neither trained on
nor tested with. A failed call is no answer and is asked again, so it goes to nobody; nor does a document that is on the
desk already.
"""

from enum import StrEnum
from typing import NamedTuple

from records.types import Label, Outcome
from review.worth import Calibrated, Opinion, as_stated


class Reason(StrEnum):
    """Why a document is on the desk, as reviewers and reports read it."""

    test = "test set"
    unreadable = "unreadable answer"
    refused = "model refused"
    unsure = "model unsure"
    no_confidence = "no confidence given"
    differs = "student says otherwise"
    rare = "rare label"
    audit = "random check"
    unprompted = "asked without a suggestion"


HELD_BACK = frozenset({Reason.differs, Reason.rare, Reason.unprompted})
"""Accepted by its confidence, and sent because it is doubted all the same: not trained on until a person answers."""


class Rules(NamedTuple):
    """What is sent; `prompts.review_rules` says what each means. Here all but `trust_above` are off by default.

    `calibrated`: what a stated confidence counts as when it is compared with `trust_above`.
    """

    trust_above: float
    audit_share: float = 0.0
    unprompted_share: float = 0.0
    rare_below: int = 0
    near_duplicates_once: bool = False
    calibrated: Calibrated = as_stated

    def sure(self, label: Label) -> float | None:
        """How sure this answer is, on the scale of `trust_above`; None where it does not say."""
        return None if label.confidence is None else self.calibrated(label.confidence)


def doubt(label: Label, rules: Rules) -> Reason | None:
    """Why this answer needs a person; None when it is accepted, or when there is no answer yet (failed)."""
    if label.outcome == Outcome.unreadable:
        return Reason.unreadable
    if label.outcome == Outcome.refused:
        return Reason.refused
    if label.outcome == Outcome.failed:
        return None
    sure = rules.sure(label)
    if sure is None:
        return Reason.no_confidence
    return Reason.unsure if sure < rules.trust_above else None


def accepted(label: Label, rules: Rules) -> bool:
    """Whether this answer is trained on without a person having seen it: there is one, and it is sure enough.

    Routing, audit and training all ask here.
    """
    return label.outcome is Outcome.answered and label.value is not None and doubt(label, rules) is None


def why(label: Label, rules: Rules, opinion: Opinion | None) -> Reason | None:
    """Why this document needs a person: the answer's own doubt first, then the student's."""
    found = doubt(label, rules)
    if found is None and accepted(label, rules) and opinion is not None and not opinion.agrees:
        return Reason.differs
    return found
