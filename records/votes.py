"""When people's answers to one document settle it, and when it goes to a lead.

By default all must say the same. With `review.majority: true` it is enough that three or more people answered and more
than half of them say the same; until as many answered as are asked, a document without that waits for the others. The
rule is the one of the task's newest definition in the store, so that whoever asks what is gold asks by the same rule.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from records import kindred, taskbook
from records.store import Store
from records.types import Answer, Correction, Split

FEWEST = 3
"""So many people must be asked, that a majority is not all of them."""


class Voting(NamedTuple):
    """`majority`: whether one settles; `people`, `people_for_test`: how many are asked about each document."""

    majority: bool = False
    people: int = 1
    people_for_test: int = 1


class Won(NamedTuple):
    """The answer that settles a document: `votes` of the `answers` said it."""

    answer: Answer
    votes: int
    answers: int


def voting(store: Store, task: str) -> Voting:
    """The task's rule, as `prompts.review_rules` gave it. Of a task that nobody used yet, or of a version from before
    there was a majority: the default.
    """
    review = taskbook.newest(store, task).get("review", {})
    people = review.get("reviewers_per_document", 1)
    return Voting(review.get("majority", False), people, review.get("reviewers_per_test_document") or people)


def won(rows: Sequence[Correction], majority: bool) -> Won | None:
    """What these answers (at least one, none of them discarded) settle on; None where they do not."""
    said = [row.value for row in rows]
    first = max(said, key=said.count)  # objects cannot be hashed, and the answers are few
    votes = said.count(first)
    enough = 2 * votes > len(said) if majority else votes == len(said)  # more than half of two is both
    return Won(first, votes, len(said)) if enough and first is not None else None


def waiting(store: Store, task: str, rule: Voting, came: Mapping[str, int]) -> set[str]:
    """Which of these documents wait for further people. `came`: how many answered each, discarding it included: who
    could not answer does not hold the others up.
    """
    if not rule.majority:
        return set()
    places = kindred.places(store, task, list(came))
    test = {i for i, place in places.items() if place.split is Split.test}
    return {i for i, n in came.items() if n < (rule.people_for_test if i in test else rule.people)}
