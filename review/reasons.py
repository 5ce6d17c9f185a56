"""Why a person should look at a document. Pure functions of an answer; `review.routing` chooses by them.

- Every document of the test split, *blind* (without the teacher's answer): it is what the gate measures with.
- What the teacher could not answer readably, or refused.
- What it answered with less confidence than `trust_above`, or without saying how sure it is; the likeliest wrong first.
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
from review.worth import Opinion


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


class Rules(NamedTuple):
    """What is sent; `prompts.review_rules` says what each means. Here all but `trust_above` are off by default."""

    trust_above: float
    audit_share: float = 0.0
    unprompted_share: float = 0.0
    rare_below: int = 0
    near_duplicates_once: bool = False


def doubt(label: Label, trust_above: float) -> Reason | None:
    """Why this answer needs a person; None when it is accepted, or when there is no answer yet (failed)."""
    if label.outcome == Outcome.unreadable:
        return Reason.unreadable
    if label.outcome == Outcome.refused:
        return Reason.refused
    if label.outcome == Outcome.failed:
        return None
    if label.confidence is None:
        return Reason.no_confidence
    return Reason.unsure if label.confidence < trust_above else None


def accepted(label: Label, trust_above: float) -> bool:
    """Whether this answer is trained on without a person having seen it: there is one, and it is sure enough."""
    return label.outcome is Outcome.answered and label.value is not None and doubt(label, trust_above) is None


def why(label: Label, trust_above: float, opinion: Opinion | None) -> Reason | None:
    """Why this document needs a person: the answer's own doubt first, then the student's."""
    found = doubt(label, trust_above)
    if found is None and accepted(label, trust_above) and opinion is not None and not opinion.agrees:
        return Reason.differs
    return found
