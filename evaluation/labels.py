"""Does the student lose a label? Against the teacher, label by label, held to the label's margin. Grain: one a label.

Overall accuracy hides a label that is seldom: a student can win elsewhere what it loses there. For each label, on the
documents that people gave it, Tango's score test asks whether the student's recall is below the teacher's by more than
the margin. Many labels are many looks, so the p-values are Holm's (1979, Scand J Stat 6:65-70): over all labels
together, a student that is no worse anywhere is called worse with the error of the rule at most.

    LabelLoss(label="lease", documents=41, student_right=30, teacher_right=38, difference=..., p=0.004, p_holm=0.03,
              worse=False)
"""

from collections.abc import Sequence

from evaluation.interval import Estimate, paired_difference, probability_of_no_worse
from evaluation.score import Scored
from records.types import Outcome, Record

LEAST = 10
"""Documents of a label below which it is not judged: at 5 the test would err twice as often as it says."""


class LabelLoss(Record):
    """One label. `difference`: recall of the student minus the teacher's; `worse`: significantly below the margin.

    `p`, `p_holm`: that it is no worse than by the margin; None with fewer than ten documents: not judged.
    """

    label: str
    documents: int
    student_right: int
    teacher_right: int
    difference: Estimate
    p: float | None = None
    p_holm: float | None = None
    worse: bool = False


def label_losses(
    student: Sequence[Scored], teacher: Sequence[Scored], margin: float, confidence: float
) -> list[LabelLoss]:
    """Every label of gold, the likeliest loss first. Documents on which the teacher's service failed are left out."""
    by_label: dict[str, list[tuple[bool, bool]]] = {}
    for ours, theirs in zip(student, teacher, strict=True):
        if isinstance(ours.gold, str) and theirs.outcome is not Outcome.failed:
            by_label.setdefault(ours.gold, []).append((ours.right, theirs.right))
    losses = [_loss(label, pairs, margin, confidence) for label, pairs in sorted(by_label.items())]
    ordered = sorted(losses, key=lambda one: (one.p is None, one.p, -one.documents, one.label))
    return _adjusted(ordered, (1 - confidence) / 2)


def _loss(label: str, pairs: Sequence[tuple[bool, bool]], margin: float, confidence: float) -> LabelLoss:
    n, won, lost = len(pairs), pairs.count((True, False)), pairs.count((False, True))
    return LabelLoss(
        label=label,
        documents=n,
        student_right=sum(ours for ours, _ in pairs),
        teacher_right=sum(theirs for _, theirs in pairs),
        difference=paired_difference(won, lost, n, confidence),
        p=probability_of_no_worse(won, lost, n, -margin) if n >= LEAST else None,
    )


def _adjusted(losses: Sequence[LabelLoss], alpha: float) -> list[LabelLoss]:
    """Holm's step-down p-values, of losses in the order of their p."""
    tested, highest, found = sum(one.p is not None for one in losses), 0.0, []
    for place, one in enumerate(losses):
        if one.p is not None:
            highest = max(highest, min(1.0, one.p * (tested - place)))
            one = one.model_copy(update={"p_holm": highest, "worse": highest <= alpha})
        found.append(one)
    return found
