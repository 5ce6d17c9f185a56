"""The part of `task.yaml` on review: what goes to people, and how many of them answer. Strict."""

from typing import Annotated, Any, Literal

from pydantic import Field

from prompts.document_rules import Section, Share
from records.votes import FEWEST

Username = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$")]


class Review(Section):
    """What goes to people: answers less sure than `trust_above`, and every test document, blind.

    `calibrate`: `trust_above` is compared with how often answers so sure were right on test documents, once a hundred
    were answered; off, or before: with the confidence that the teacher states.
    `wanted_precision`: how often a trusted answer should be right; reports suggest a `trust_above` that keeps it, and
    `retort audit` says when enough was checked to show it.
    `reviewers_per_document` people answer each document, `reviewers_per_test_document` each one of the test split (not
    given: as many); where the two differ, test documents have a board of their own on the desk.
    `majority`: where three or more people answered a document, what more than half of them say is gold, and only the
    rest goes to a lead; off: all must say the same.
    `leads`: usernames of those who decide where reviewers differ; the desk's owner always may.
    `second_readings`: so many training documents on which people are settled are shown once more, without suggestion,
    to every reviewer, to see how far their answers can be relied on.
    `audit_share`: random checks among trusted answers, blind, as a share of a round's places, and never more than that
    share of these answers. `unprompted_share`: of the others, those that are shown without their suggestion, to see how
    far suggestions lead. `rare_below`: a label that fewer documents have is checked however sure; 0: none is.
    `near_duplicates_once`: of documents that are nearly alike one is sent (of the test split always all).
    `refresh_with`: whose newer answers take the place of suggestions that nobody has answered yet: the teacher's of
    today's prompt, or those of the student that is live, which is asked for them.
    """

    reviewers_per_document: int = Field(default=1, ge=1, le=20)
    reviewers_per_test_document: int | None = Field(default=None, ge=1, le=20)
    majority: bool = False
    leads: list[Username] = Field(default=[], max_length=20)
    second_readings: int = Field(default=0, ge=0, le=1_000)
    trust_above: Share = 0.9
    calibrate: bool = True
    max_per_round: int = Field(default=500, ge=1, le=100_000)
    wanted_precision: float = Field(default=0.95, gt=0, lt=1)
    audit_share: float = Field(default=0.1, ge=0, le=0.5)
    unprompted_share: float = Field(default=0.02, ge=0, le=0.5)
    rare_below: int = Field(default=5, ge=0, le=1_000)
    near_duplicates_once: bool = True
    refresh_with: Literal["teacher", "student"] = "teacher"

    @property
    def for_test(self) -> int:
        """How many people answer a test document."""
        return self.reviewers_per_test_document or self.reviewers_per_document


def majority_faults(data: dict[str, Any]) -> list[str]:
    """A majority of so few people that there can be none."""
    review = data.get("review")
    if not isinstance(review, dict) or review.get("majority") is not True:
        return []
    asked = [review.get(key) for key in ("reviewers_per_document", "reviewers_per_test_document")]
    if any(isinstance(people, int) and people >= FEWEST for people in asked):
        return []
    return [
        f"review.majority: true, and no document is answered by {FEWEST} people; set review.reviewers_per_document or "
        f"review.reviewers_per_test_document to {FEWEST} or more, or remove it"
    ]
