"""How good people's answers are, and what they are worth: all of it in one record. A function of records.

    report = people_report(material)        what `retort reviewers` shows, and a section of the gate's report
    evaluation.people_page                  the same as HTML and Markdown

`Material` is what a flow gathers from the store; nothing here reads or writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation.anchoring import Anchoring, anchoring
from evaluation.ceiling import Ceiling, ceiling
from evaluation.label_noise import LabelNoise, label_noise
from evaluation.people_agreement import PeopleAgreement, people_agreement
from evaluation.reviewers import Reviewer, reviewers
from evaluation.worth import Worth, worth
from records.second_looks import SecondAnswer
from records.types import Answer, Correction, DeskRecord, Record


@dataclass(frozen=True)
class Material:
    """What there is on people's answers to a task. All mappings by document id.

    `teacher`: its newest answers with their confidence; `sent`: what is on the desk; `samples` and `near` as
    `evaluation.ceiling` takes them; `texts` and `clusters`: of settled documents; `wanted`: answers asked of each
    test document; `unreviewed`: the teacher's answers that nobody looked at; `by_majority`: how many documents are gold
    by what most said, and not all.
    """

    corrections: Sequence[Correction]
    gold: Mapping[str, Answer]
    disputed: Mapping[str, Sequence[Correction]]
    decisions: Mapping[str, SecondAnswer]
    readings: Sequence[SecondAnswer]
    teacher: Mapping[str, tuple[Answer, float | None]]
    sent: Mapping[str, DeskRecord]
    test: frozenset[str]
    texts: Mapping[str, str]
    clusters: Mapping[str, str]
    samples: Sequence[Sequence[Answer]] = ()
    near: Sequence[Sequence[Answer]] = ()
    unreviewed: Sequence[Answer] = ()
    wanted: int = 1
    by_majority: int = 0
    confidence: float = 0.95


class PeopleReport(Record):
    """All figures. `short`: test documents with fewer answers than asked for, which count as gold meanwhile.

    `test`, `train`: what corrections are worth, on documents that were not chosen and on those that were.
    """

    agreement: PeopleAgreement
    settled: int
    disputed: int
    decided: int
    short: int
    by_majority: int = 0
    reviewers: list[Reviewer]
    anchoring: Anchoring | None = None
    test: Worth
    train: Worth
    ceiling: Ceiling
    noise: LabelNoise


def people_report(given: Material) -> PeopleReport:
    """Measure everything."""
    answers = {i: answer for i, (answer, _) in given.teacher.items()}
    test_gold = {i: a for i, a in given.gold.items() if i in given.test}
    train_gold = {i: a for i, a in given.gold.items() if i not in given.test}
    test_rows = [r for r in given.corrections if r.document_id in given.test]
    test_teacher = {i: a for i, a in answers.items() if i in given.test}
    said: dict[str, set[str]] = {}
    for row in test_rows:
        if not row.discarded:
            said.setdefault(row.document_id, set()).add(row.reviewer)
    undecided = test_gold.keys() - given.decisions.keys()
    return PeopleReport(
        agreement=people_agreement(given.corrections, given.confidence),
        settled=len(given.gold),
        disputed=len(given.disputed),
        decided=len(given.decisions),
        by_majority=given.by_majority,
        short=sum(len(said.get(i, ())) < given.wanted for i in undecided),
        reviewers=reviewers(given.corrections, given.decisions, given.readings, given.gold),
        anchoring=anchoring(given.sent, given.corrections, given.teacher, given.test, given.confidence),
        test=worth(answers, test_gold, given.unreviewed, given.confidence),
        train=worth(answers, train_gold, (), given.confidence),
        ceiling=ceiling(test_teacher, test_gold, test_rows, given.samples, given.near, given.confidence),
        noise=label_noise(given.texts, given.gold, given.clusters),
    )
