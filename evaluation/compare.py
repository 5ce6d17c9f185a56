"""Two models on the same documents: the paired difference of their accuracies, and where they differ.

Pairing matters: both meet the same hard documents, so what is uncertain is only the documents on which exactly one is
right. McNemar's exact test asks about the same documents whether the two are equally good.
"""

from collections.abc import Mapping, Sequence

from evaluation.interval import Estimate, mcnemar_exact, paired_difference
from evaluation.resample import macro_f1_difference
from evaluation.score import Scored, same
from records.types import Answer, Correction, Outcome, Record


class Paired(Record):
    """First against second, on the same documents. `difference`: accuracy of the first minus that of the second.

    `credited`: documents on which the second could not be asked (its service failed) and was taken to be right.
    `macro_f1`: difference of the macro-F1 scores, for choices; None where any was credited.
    """

    first: str
    second: str
    documents: int
    both: int
    first_only: int
    second_only: int
    neither: int
    credited: int
    difference: Estimate
    mcnemar_p: float
    macro_f1: Estimate | None = None


class Difference(Record):
    """A document on which teacher and student answer differently. `people`: their answers and how many gave each."""

    document_id: str
    gold: Answer
    teacher: Answer | None
    student: Answer | None
    teacher_right: bool
    student_right: bool
    people: list[tuple[Answer, int]]


class Disputed(Record):
    """A test document on which people did not agree: gold for nobody, shown apart."""

    document_id: str
    teacher: Answer | None
    student: Answer | None
    people: list[tuple[Answer, int]]


def pair(
    first: Sequence[Scored], second: Sequence[Scored], names: tuple[str, str], confidence: float, credit: bool = False
) -> Paired:
    """Compare two models scored on the same documents in the same order.

    `credit`: a failed call of the second counts as right, so that an outage of a teacher cannot flatter a student.
    """
    failed = [credit and s.outcome is Outcome.failed for s in second]
    pairs = [(a.right, b.right or lost) for a, b, lost in zip(first, second, failed, strict=True)]
    one, other = pairs.count((True, False)), pairs.count((False, True))
    return Paired(
        first=names[0],
        second=names[1],
        documents=len(pairs),
        both=pairs.count((True, True)),
        first_only=one,
        second_only=other,
        neither=pairs.count((False, False)),
        credited=sum(failed),
        difference=paired_difference(one, other, len(pairs), confidence),
        mcnemar_p=mcnemar_exact(one, other),
        macro_f1=None if any(failed) else _macro_f1(first, second, confidence),
    )


def _macro_f1(first: Sequence[Scored], second: Sequence[Scored], confidence: float) -> Estimate | None:
    triples = [
        (a.gold, a.answer if isinstance(a.answer, str) else None, b.answer if isinstance(b.answer, str) else None)
        for a, b in zip(first, second, strict=True)
        if isinstance(a.gold, str)
    ]
    return macro_f1_difference(triples, confidence) if triples else None


def people_said(rows: Sequence[Correction]) -> list[tuple[Answer, int]]:
    """Distinct answers with how many people gave each, the commonest first. Discarded documents are left out."""
    said: list[tuple[Answer, int]] = []
    for row in rows:
        if row.discarded or row.value is None:
            continue
        at = next((i for i, (value, _) in enumerate(said) if same(value, row.value)), None)
        if at is None:
            said.append((row.value, 1))
        else:
            said[at] = (row.value, said[at][1] + 1)
    return sorted(said, key=lambda item: -item[1])


def differences(
    teacher: Sequence[Scored], student: Sequence[Scored], people: Mapping[str, Sequence[Correction]]
) -> list[Difference]:
    """Where the two differ: first what a release would break, then what it would mend, then where both are wrong."""
    found = [
        Difference(
            document_id=t.document_id,
            gold=t.gold,
            teacher=t.answer,
            student=s.answer,
            teacher_right=t.right,
            student_right=s.right,
            people=people_said(people.get(t.document_id, [])),
        )
        for t, s in zip(teacher, student, strict=True)
        if t.right != s.right or not same(t.answer, s.answer)
    ]
    return sorted(found, key=lambda d: (not d.teacher_right, not d.student_right, d.document_id))
