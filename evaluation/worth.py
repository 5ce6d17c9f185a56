"""What a correction is worth: where people change the teacher's answers, and how many wrong ones each kind stands for.

One row of `changes` (grain: one per pair of what the teacher said and what people say):

    Change(teacher="debt", people="litigation", documents=14, share=0.31)     31 % of all changes are of this kind

One row of `labels` (grain: one per label that the teacher gave):

    TeacherLabel(label="debt", reviewed=60, wrong=Estimate(0.283, ...), unreviewed=410)

Of objects, rows are of top-level fields: `teacher` and `people` both hold the field's name. How often the teacher is
wrong is told only where documents were not chosen for their doubtfulness (the test split): elsewhere it is too high.
"""

from collections import Counter
from collections.abc import Collection, Mapping

from pydantic import Field

from evaluation.agreement import key
from evaluation.interval import Estimate, wilson
from evaluation.people_agreement import apart
from records.types import Answer, Record


class Change(Record):
    """What the teacher said, what people say instead, on how many documents; `share` of all changes."""

    teacher: str
    people: str
    documents: int
    share: float


class TeacherLabel(Record):
    """One label of the teacher's. `unreviewed`: answers with it that nobody looked at and that are trained on."""

    label: str
    reviewed: int
    wrong: Estimate
    unreviewed: int = 0


class Worth(Record):
    """The teacher's answers beside what people settled on. `changed`: of all of them."""

    documents: int
    changed: Estimate
    changes: list[Change] = Field(default_factory=list)
    labels: list[TeacherLabel] = Field(default_factory=list)
    confusion: dict[str, dict[str, int]] = Field(default_factory=dict)


def worth(
    teacher: Mapping[str, Answer],
    gold: Mapping[str, Answer],
    unreviewed: Collection[Answer] = (),
    confidence: float = 0.95,
) -> Worth:
    """Compare on the documents that both have. `unreviewed`: the teacher's answers that nobody looked at."""
    both = sorted(teacher.keys() & gold.keys())
    wrong = [i for i in both if key(teacher[i]) != key(gold[i])]
    pairs = [pair for i in wrong for pair in _changed(teacher[i], gold[i])]
    return Worth(
        documents=len(both),
        changed=wilson(len(wrong), len(both), confidence),
        changes=[
            Change(teacher=a, people=b, documents=n, share=n / len(pairs))
            for (a, b), n in sorted(Counter(pairs).items(), key=lambda c: (-c[1], c[0]))
        ],
        labels=_labels({i: teacher[i] for i in both}, set(wrong), unreviewed, confidence),
        confusion=_confusion(teacher, gold, both),
    )


def _changed(teacher: Answer, people: Answer) -> list[tuple[str, str]]:
    if isinstance(teacher, dict) and isinstance(people, dict):
        return apart(teacher, people)
    return [(key(teacher), key(people))]


def _labels(
    teacher: Mapping[str, Answer], wrong: Collection[str], unreviewed: Collection[Answer], confidence: float
) -> list[TeacherLabel]:
    left = Counter(value for value in unreviewed if isinstance(value, str))
    seen = Counter(value for value in teacher.values() if isinstance(value, str))
    bad = Counter(teacher[i] for i in wrong if isinstance(teacher[i], str))
    return [
        TeacherLabel(label=k, reviewed=seen[k], wrong=wilson(bad[k], seen[k], confidence), unreviewed=left[k])
        for k in sorted(seen | left)
    ]


def _confusion(
    teacher: Mapping[str, Answer], gold: Mapping[str, Answer], both: Collection[str]
) -> dict[str, dict[str, int]]:
    """People's label -> the teacher's -> documents; empty for objects."""
    found: dict[str, dict[str, int]] = {}
    for i in both:
        said, truth = teacher[i], gold[i]
        if isinstance(said, str) and isinstance(truth, str):
            row = found.setdefault(truth, {})
            row[said] = row.get(said, 0) + 1
    return found
