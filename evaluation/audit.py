"""How good are the labels that nobody checks? Answered from those of them that were drawn at random and checked.

A label is *accepted* when it is sure enough to be trained on unseen. Each has a number that follows from its document's
content alone (its draw, 0..1); people are shown the lowest first. So whichever have been answered up to some number are
a random sample without repetition, no matter when anybody looked, what arrived in between, or why else a document was
sent to people. What counts is therefore the row up to the first that is not answered yet; an answer that nobody could
give or agree on counts as wrong.

    with 95 % confidence at most 3.0 % of the 4,210 accepted labels are wrong: reviewing can stop.
    about 140 more random checks are needed ...

One accepted label (grain: one per document):

    Accepted(document_id="41d0c7a2b6e95f13", label="lease", draw=0.0173, round=1, confidence=0.97, right=True)
    Accepted(..., label="", right=False, fields={"party": True, "amount": False})                       an object
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from evaluation import wording
from evaluation.drawn import Cohort, bounds, exact_share, more_needed, rate
from evaluation.interval import Estimate
from records.types import Record

_LEAST = 500
"""Accepted labels of a cohort: what came in between two rounds joins what came before, until it is as many."""


class Accepted(NamedTuple):
    """An accepted label; `label` is empty where the answer is an object.

    `round`: how many rounds had been sent when it came; `right`: None where not answered yet; `fields`: the same of
    each field of an object. Which fields there are must not depend on what people said.
    """

    document_id: str
    label: str
    draw: float
    round: int
    confidence: float
    right: bool | None
    fields: Mapping[str, bool | None] = MappingProxyType({})


class Part(Record):
    """The accepted labels of one name, or one field of the accepted objects. `share` wrong: the intervals hold together
    for all names (or all fields), in one look.
    """

    name: str
    total: int
    drawn: int
    wrong: int
    share: Estimate


class Audit(Record):
    """What random checks say of all accepted labels.

    `drawn`, `wrong`: of the row of answered draws; `corrected`: all accepted labels that people found wrong, in the row
    or not. `error`: the share that was wrong when accepted, with an exact interval for one look. `at_most`: the share
    that may still be wrong after these corrections, true at every look. `more`: further checks needed, about; 0: none;
    None: so many that checking is no way to get there. `blocked`: answered ones that count once those before them are.
    `labels`, `fields`: where the wrong ones are, the worst first; of objects each field by itself, all else whole.
    """

    total: int
    drawn: int
    wrong: int
    corrected: int
    blocked: int
    error: Estimate
    at_most: float
    wanted: float
    confidence: float
    more: int | None
    labels: list[Part]
    fields: list[Part]

    @property
    def enough(self) -> bool:
        """Whether reviewing can stop, as far as accepted labels go."""
        return self.total > 0 and self.at_most <= self.wanted

    @property
    def sentence(self) -> str:
        """The stop rule, in one sentence."""
        if not self.total:
            return "no label was accepted without a person, so there is nothing to check."
        if not self.drawn and not self.enough:
            return self._unchecked
        said = (
            f"with {100 * self.confidence:g} % confidence at most {wording.percent(self.at_most)} of the "
            f"{self.total:,} accepted labels are wrong"
        )
        if self.enough:
            return f"{said}: reviewing can stop ({wording.percent(self.wanted)} are allowed)."
        if self.more is None:
            return (
                f"{said}, and {wording.percent(self.wanted)} are allowed: checking alone hardly gets there. Accept "
                "only surer ones (review.trust_above), or correct what is wrong in the prompt."
            )
        checks = f"about {wording.count(self.more, 'more random check')} {'is' if self.more == 1 else 'are'} needed"
        return f"{checks} to show that at most {wording.percent(self.wanted)} are wrong; so far, {said}."

    @property
    def _unchecked(self) -> str:
        """Before the first answer: a bound of 100 % would read like a verdict on the labels."""
        counted = wording.count(self.total, "accepted label")
        said = f"nothing is known yet of the {counted}: no random check counts so far"
        if self.more is None:
            return f"{said}, and to show that at most {wording.percent(self.wanted)} are wrong takes most of so few."
        checks = f"about {wording.count(self.more, 'random check')} {'is' if self.more == 1 else 'are'} needed"
        return f"{said}; {checks} to show that at most {wording.percent(self.wanted)} are wrong."


def audit(accepted: Sequence[Accepted], wanted: float, confidence: float = 0.95) -> Audit:
    """Everything that can be said of these labels; the order given plays no part. `wanted`: share that may be wrong."""
    groups = _cohorts(accepted)
    rows = [_answered_row(group) for group in groups]
    cohorts = [Cohort(len(g), len(row), _wrong(row)) for g, row in zip(groups, rows, strict=True)]
    total, drawn, wrong = len(accepted), sum(c.drawn for c in cohorts), sum(c.wrong for c in cohorts)
    corrected = _wrong(accepted)
    at_most = max(0, bounds(cohorts, confidence).high - corrected) / total if total else 0.0
    more = 0 if at_most <= wanted else more_needed(total, drawn, wrong, wanted, confidence)
    return Audit(
        total=total,
        drawn=drawn,
        wrong=wrong,
        corrected=corrected,
        blocked=sum(one.right is not None for one in accepted) - drawn,
        error=_error(cohorts, confidence),
        at_most=at_most,
        wanted=wanted,
        confidence=confidence,
        more=1 if more == 0 and at_most > wanted else more,
        labels=_by_part(groups, rows, _label, confidence),
        fields=_by_part(groups, rows, _fields, confidence),
    )


def row(accepted: Sequence[Accepted]) -> list[Accepted]:
    """The answered draws that count: a random sample of the accepted labels, cohort by cohort."""
    return [one for group in _cohorts(accepted) for one in _answered_row(group)]


def _cohorts(accepted: Iterable[Accepted]) -> list[list[Accepted]]:
    """By when they came, the oldest first, each in the order of its draws. How many there are decides, nothing else."""
    by_round: dict[int, list[Accepted]] = {}
    for one in accepted:
        by_round.setdefault(one.round, []).append(one)
    found: list[list[Accepted]] = []
    for number in sorted(by_round):
        if found and len(found[-1]) < _LEAST:
            found[-1] += by_round[number]
        else:
            found.append(by_round[number])
    if len(found) > 1 and len(found[-1]) < _LEAST:
        last = found.pop()
        found[-1] += last
    return [sorted(group, key=lambda one: (one.draw, one.document_id)) for group in found]


def _answered_row(group: Sequence[Accepted]) -> list[Accepted]:
    first_open = next((n for n, one in enumerate(group) if one.right is None), len(group))
    return list(group[:first_open])


def _wrong(labels: Iterable[Accepted]) -> int:
    return sum(one.right is False for one in labels)


def _error(cohorts: Sequence[Cohort], confidence: float) -> Estimate:
    """Of one cohort exact; of several the stratified estimate, with the bounds that hold at every look."""
    looked_at = [one for one in cohorts if one.drawn]
    if len(looked_at) < 2:
        return exact_share(*(looked_at or [Cohort(0, 0, 0)])[0], confidence)
    total = sum(one.total for one in looked_at)
    found = bounds(looked_at, confidence)
    return Estimate(
        value=rate(looked_at),
        low=found.low / total,
        high=found.high / total,
        n=sum(one.drawn for one in looked_at),
        confidence=confidence,
    )


def _label(one: Accepted) -> Mapping[str, bool | None]:
    return {one.label: one.right} if one.label else {}


def _fields(one: Accepted) -> Mapping[str, bool | None]:
    return one.fields


def _by_part(
    groups: Sequence[Sequence[Accepted]],
    rows: Sequence[Sequence[Accepted]],
    parts: Callable[[Accepted], Mapping[str, bool | None]],
    confidence: float,
) -> list[Part]:
    """Each part's share from the draws below a number that all cohorts have reached, so that each counts alike."""
    pairs = [(g, r) for g, r in zip(groups, rows, strict=True) if r]
    reached = min((g[len(r)].draw if len(r) < len(g) else 1.0 for g, r in pairs), default=0.0)
    totals = Counter(name for group, _ in pairs for one in group for name in parts(one))
    seen = [found for _, r in pairs for one in r if one.draw < reached for found in parts(one).items()]
    drawn, wrong = Counter(name for name, _ in seen), Counter(name for name, right in seen if right is False)
    each = 1 - (1 - confidence) / max(1, len(totals))
    found = [
        Part(
            name=name,
            total=total,
            drawn=drawn[name],
            wrong=wrong[name],
            share=exact_share(total, drawn[name], wrong[name], each).model_copy(update={"confidence": confidence}),
        )
        for name, total in totals.items()
    ]
    return sorted(found, key=_worst_first)


def _worst_first(one: Part) -> tuple[float, int, str]:
    return -(one.share.value or 0.0), -one.total, one.name
