"""The ceiling: how good an answer can be measured to be, given how far teacher and people agree with themselves.

Three figures set it. The teacher with *itself*: its samples of one document, where it was asked several times, or its
answers to near-duplicates, where each was asked. The teacher with *people*: on test documents, which people answered
without seeing its answer. People with *one another*: on the same documents. A student taught by this teacher cannot be
expected above the second, and where people themselves differ no model can be measured to be right more often than they
agree: what is missing there is a clearer guideline, not a better model.
"""

from collections.abc import Mapping, Sequence

from evaluation import wording
from evaluation.agreement import Agreement, agreement, key
from evaluation.interval import Estimate, wilson
from evaluation.people_agreement import units
from records.types import Answer, Correction, Record


class Ceiling(Record):
    """None where nothing was asked or answered twice."""

    samples: Agreement | None = None
    near_duplicates: Agreement | None = None
    with_people: Estimate
    people: Agreement | None = None

    @property
    def lines(self) -> list[str]:
        """Each figure in a sentence."""
        found = [_said("The teacher with itself, asked again", self.samples, "document")]
        found += [_said("The teacher with itself, on near-duplicates", self.near_duplicates, "cluster")]
        if self.with_people.n:
            on = wording.count(self.with_people.n, "test document")
            found.append(f"The teacher with people: {wording.share(self.with_people)} of {on}.")
        found += [_said("People with one another, without a suggestion", self.people, "test document")]
        return [line for line in found if line]


def _said(who: str, found: Agreement | None, noun: str) -> str:
    if found is None or not found.units:
        return ""
    alpha = f", alpha {figure(found.alpha)}" if found.alpha.value is not None else ""
    return f"{who}: {wording.share(found.pairwise)} on {wording.count(found.units, noun)}{alpha}."


def figure(estimate: Estimate) -> str:
    """An alpha or a kappa with its interval: 0.74 (0.41 to 1.00)."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return wording.NOTHING
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})".replace("-", "−")


def ceiling(
    teacher: Mapping[str, Answer],
    gold: Mapping[str, Answer],
    corrections: Sequence[Correction],
    samples: Sequence[Sequence[Answer]] = (),
    near: Sequence[Sequence[Answer]] = (),
    confidence: float = 0.95,
) -> Ceiling:
    """Measure it. `teacher`, `gold`, `corrections`: of test documents only. `samples`: the readable answers to one
    document; `near`: the answers to the documents of one cluster, each asked for.
    """
    both = teacher.keys() & gold.keys()
    return Ceiling(
        samples=_several([[key(v) for v in values] for values in samples], confidence),
        near_duplicates=_several([[key(v) for v in values] for values in near], confidence),
        with_people=wilson(sum(key(teacher[i]) == key(gold[i]) for i in both), len(both), confidence),
        people=_several(units(corrections), confidence),
    )


def _several(found: Sequence[Sequence[str]], confidence: float) -> Agreement | None:
    measured = agreement(found, confidence)
    return measured if measured.units else None
