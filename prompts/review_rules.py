"""The part of `task.yaml` on review: what goes to people, and how many of them answer. Strict."""

from typing import Literal

from pydantic import Field

from prompts.document_rules import Section, Share


class Review(Section):
    """What goes to people: answers less sure than `trust_above`, and every test document, blind.

    `wanted_precision`: how often a trusted answer should be right; reports suggest a `trust_above` that keeps it.
    `refresh_with`: whose newer answers take the place of suggestions that nobody has answered yet: the teacher's of
    today's prompt, or those of the student that is live, which is asked for them.
    """

    reviewers_per_document: int = Field(default=1, ge=1, le=20)
    trust_above: Share = 0.9
    max_per_round: int = Field(default=500, ge=1, le=100_000)
    wanted_precision: float = Field(default=0.95, gt=0, lt=1)
    refresh_with: Literal["teacher", "student"] = "teacher"
