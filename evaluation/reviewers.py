"""Each reviewer in numbers: pace, what they change, and how often others, the lead and settled answers agree with them.

Pace is estimated: Argilla keeps only when an answer was given (its last change), not when the document was opened. Two
answers of one person that lie no more than `SITTING_ENDS_S` apart are of one sitting, and the time between them is
what the second took; a longer gap is a pause and is left out. Answers within `AT_ONCE_S` of each other were given in
bulk and are left out too. The median is told, which single distractions do not move.

What is told of a person is for the guidelines first: who differs often may be the one who reads them right. `watch`
names what is unlikely to be chance (Fisher's exact test, one-sided, p < 0.01 against all others together).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from pydantic import Field

from evaluation.agreement import key
from evaluation.interval import Estimate, quantile, wilson
from records.second_looks import SecondAnswer
from records.types import Answer, Correction, Record

SITTING_ENDS_S = 600.0
AT_ONCE_S = 1.0
UNLIKELY = 0.01
_HURRY, _FEW = 3, 20
_WATCHED = {("reading_right", "reading_same"): "second readings", ("with_lead",): "documents that a lead decided"}


class Pace(Record):
    """`seconds`: the median an answer, with its interval; `timed`: answers it rests on; `hours`: spent, about."""

    answers: int
    sittings: int
    timed: int
    seconds: Estimate
    hours: float


class Changes(Record):
    """One suggested label: how often it was shown to this reviewer, and how often they changed it."""

    label: str
    shown: int
    changed: int


class Reviewer(Record):
    """One person. Shares are None where nothing compares.

    `kept`: of the suggestions shown; `with_others`: where all others agree among themselves; `with_lead`: where a lead
    decided; `reading_right`: second readings of documents they had not answered, against the settled answer;
    `reading_same`: of documents they had, against their own first answer.
    """

    name: str
    answered: int
    discarded: int
    pace: Pace
    kept: Estimate
    changes: list[Changes] = Field(default_factory=list)
    with_others: Estimate
    with_lead: Estimate
    reading_right: Estimate
    reading_same: Estimate
    watch: list[str] = Field(default_factory=list)


def pace(moments: Iterable[datetime]) -> Pace:
    """How fast somebody answers, from when they did."""
    ordered = sorted(moments)
    gaps = [(b - a).total_seconds() for a, b in pairwise(ordered)]
    within = [gap for gap in gaps if gap <= SITTING_ENDS_S]
    timed = [gap for gap in within if gap >= AT_ONCE_S]
    sittings = len(ordered) and 1 + len(gaps) - len(within)
    middle = quantile(timed, 0.5)
    spent = sum(within) + sittings * (middle.value or 0.0)
    return Pace(answers=len(ordered), sittings=sittings, timed=len(timed), seconds=middle, hours=spent / 3600)


def kept(corrections: Iterable[Correction]) -> Estimate:
    """How often people left the suggestion that was shown as it was."""
    shown = [r for r in corrections if r.suggestion is not None and r.value is not None and not r.discarded]
    return wilson(sum(key(r.value) == key(r.suggestion) for r in shown), len(shown))


def reviewers(
    corrections: Sequence[Correction],
    decisions: Mapping[str, SecondAnswer],
    readings: Sequence[SecondAnswer],
    gold: Mapping[str, Answer],
) -> list[Reviewer]:
    """Everybody who answered, by name. `readings`: second readings; `gold`: what is settled."""
    newest = {(r.reviewer, r.document_id): r for r in readings}
    names = sorted({r.reviewer for r in corrections} | {name for name, _ in newest})
    said = {(r.reviewer, r.document_id): r for r in corrections if not r.discarded and r.value is not None}
    others = _others(said)
    found = [
        _reviewer(name, [r for r in corrections if r.reviewer == name], decisions, newest, gold, others)
        for name in names
    ]
    return [_watched(one, found) for one in found]


def _others(said: Mapping[tuple[str, str], Correction]) -> Callable[[str, str], str | None]:
    """What all others who answered a document said of it, where they said the same."""
    by_document: dict[str, dict[str, str]] = defaultdict(dict)
    for (name, document_id), row in said.items():
        by_document[document_id][name] = key(row.value)

    def unanimous(name: str, document_id: str) -> str | None:
        values = {value for who, value in by_document[document_id].items() if who != name}
        return values.pop() if len(values) == 1 else None

    return unanimous


def _reviewer(
    name: str,
    rows: Sequence[Correction],
    decisions: Mapping[str, SecondAnswer],
    readings: Mapping[tuple[str, str], SecondAnswer],
    gold: Mapping[str, Answer],
    others: Callable[[str, str], str | None],
) -> Reviewer:
    own = {r.document_id: key(r.value) for r in rows if not r.discarded and r.value is not None}
    again = {i: key(a.value) for (who, i), a in readings.items() if who == name and a.value is not None}
    decided = {i: key(d.value) for i, d in decisions.items() if d.value is not None}
    settled = {i: key(gold[i]) for i in again if i in gold and i not in own}
    return Reviewer(
        name=name,
        answered=len(own),
        discarded=sum(r.discarded for r in rows),
        pace=pace(r.answered_at for r in rows),
        kept=kept(rows),
        changes=_changes(rows),
        with_others=_share(own, {i: said for i in own if (said := others(name, i)) is not None}),
        with_lead=_share(own, decided),
        reading_right=_share(again, settled),
        reading_same=_share(again, own),
    )


def _share(said: Mapping[str, str], measure: Mapping[str, str]) -> Estimate:
    compared = said.keys() & measure.keys()
    return wilson(sum(said[i] == measure[i] for i in compared), len(compared))


def _changes(rows: Sequence[Correction]) -> list[Changes]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        if isinstance(row.suggestion, str) and row.value is not None and not row.discarded:
            counts[row.suggestion][0] += 1
            counts[row.suggestion][1] += row.value != row.suggestion
    return [Changes(label=label, shown=n, changed=changed) for label, (n, changed) in sorted(counts.items())]


def _watched(one: Reviewer, everybody: Sequence[Reviewer]) -> Reviewer:
    others = [other for other in everybody if other.name != one.name]
    found = []
    for figures, said in _WATCHED.items():
        mine, theirs = [getattr(one, f) for f in figures], [getattr(other, f) for other in others for f in figures]
        if worse(mine, theirs) < UNLIKELY:
            right, n = _counted(mine)
            found.append(f"right on {right} of {n} {said}, less often than the others: more than chance")
    quick = [o.pace.seconds.value for o in others if o.pace.timed >= _FEW and o.pace.seconds.value]
    own = one.pace.seconds.value
    if quick and own and one.pace.timed >= _FEW and own * _HURRY < min(quick):
        found.append(f"{own:.0f} s an answer, where the next fastest takes {min(quick):.0f} s")
    return one.model_copy(update={"watch": found})


def worse(mine: Sequence[Estimate], theirs: Sequence[Estimate]) -> float:
    """p of being right this seldom if all were equally good (Fisher 1934, Statistical Methods, 5th ed., §21.02)."""
    from scipy.stats import hypergeom

    (right, n), (others_right, others_n) = _counted(mine), _counted(theirs)
    if not n or not others_n:
        return 1.0
    return float(hypergeom.cdf(right, n + others_n, right + others_right, n))


def _counted(shares: Sequence[Estimate]) -> tuple[int, int]:
    return sum(round((e.value or 0) * e.n) for e in shares), sum(e.n for e in shares)
