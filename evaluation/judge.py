"""The whole trial on one page: score, measure, compare, decide. A function of records: it reads and writes nothing.

judgement = judge(gold, teacher, student, rule, base=..., baseline=..., corrections=..., disputed=...)
judgement.ruling.decision         approved | rejected | inconclusive
judgement.model_dump(mode="json") what a Verdict keeps, and all that the report needs besides the texts
"""

from collections.abc import Mapping, Sequence, Set

from pydantic import Field

from evaluation import baseline as tfidf
from evaluation.aggregate import Measured, measure, measure_candidate
from evaluation.compare import Difference, Disputed, Paired, differences, pair, people_said
from evaluation.gate import Rule, decide, gold_hash, prices_hash, rule_hash
from evaluation.interval import Estimate
from evaluation.labels import LabelLoss, label_losses
from evaluation.load import Load, LoadRun, StudentCost
from evaluation.reliability import Reliability, reliability, sure_and_right
from evaluation.rule import Ruling
from evaluation.score import Candidate, Scored, score_answers, score_candidate
from records.errors import InputError
from records.types import Answer, Correction, Outcome, Record

LIVE = "live"
"""The role of the student that answers in production now."""


class Absent(Record):
    """A model that a report should hold and does not, and why: nothing is left out in silence."""

    name: str
    why: str


class Measurements(Record):
    """What was measured beside the answers: the endpoint under load, what the student costs, the prices that it was
    counted with, and who could not be asked. `measured_as`: how and where the load was, in words; `load_runs`: all
    measurements in this way, oldest first; `load` is that of the last.
    """

    load: list[Load] = Field(default_factory=list)
    load_runs: list[LoadRun] = Field(default_factory=list)
    measured_as: str = ""
    student_cost: StudentCost | None = None
    prices: dict[str, float | None] = Field(default_factory=dict)
    absent: list[Absent] = Field(default_factory=list)


class Judgement(Record):
    """Everything that was found. `against`: the student against each other model, by its name.

    `reliability`: of the teacher's and the student's confidence, by name, for `wanted_precision` of trusted answers.
    `trust_from`: what the teacher's confidence from which on its answers can be trusted counts as for
    `review.trust_above`, where that is calibrated.
    `by_majority`: documents on which people differ, most said the same, and that counts (`review.majority`).
    `load`, `student_cost`: see `evaluation.load`. `labels`: the student against the teacher, label by label.
    """

    documents: int
    rule: Rule
    rule_hash: str
    test_set_hash: str
    prices_hash: str = ""
    ruling: Ruling
    teacher: Measured
    student: Measured
    others: list[Measured]
    against: dict[str, Paired]
    differences: list[Difference]
    disputed: list[Disputed]
    by_majority: int = 0
    reviewers: int
    latencies_s: dict[str, list[float]]
    wanted_precision: float = 0.95
    reliability: dict[str, Reliability] = Field(default_factory=dict)
    trust_from: float | None = None
    labels: list[LabelLoss] = Field(default_factory=list)
    load: list[Load] = Field(default_factory=list)
    load_runs: list[LoadRun] = Field(default_factory=list)
    measured_as: str = ""
    student_cost: StudentCost | None = None
    prices: dict[str, float | None] = Field(default_factory=dict)
    absent: list[Absent] = Field(default_factory=list)

    @property
    def paired(self) -> Paired:
        """Student against teacher."""
        return self.against[self.teacher.name]

    @property
    def better(self) -> list[Measured]:
        """The baselines that are right more often than the student, the best first."""
        ours = self.student.accuracy.value or 0.0
        above = [other for other in self.others if (other.accuracy.value or 0.0) > ours]
        return sorted(above, key=lambda other: -(other.accuracy.value or 0.0))


def judge(
    gold: Mapping[str, Answer],
    teacher: Candidate,
    student: Candidate,
    rule: Rule,
    base: Candidate | None = None,
    baseline: Mapping[str, Answer] | None = None,
    corrections: Sequence[Correction] = (),
    disputed: Mapping[str, Sequence[Correction]] | None = None,
    by_majority: int = 0,
    wanted_precision: float = 0.95,
    others: Sequence[Candidate] = (),
    predictions: Mapping[str, Mapping[str, Answer]] | None = None,
    more: Measurements | None = None,
) -> Judgement:
    """Put a student on trial. `gold` and `disputed` must be of test documents only; `baseline` are its predictions,
    `predictions` those of further baselines, by name. One of the `others` with the role `live` is the live student.

    `wanted_precision`: how often answers that are trusted unseen should be right.

    Raises InputError when there is no gold, or two candidates share a name.
    """
    if not gold:
        raise InputError("No test document has an answer on which people agree: have test documents reviewed first.")
    more = more or Measurements()
    asked = [who for who in (teacher, student, base, *others) if who is not None]
    scored, measured = _measured(gold, asked, {tfidf.NAME: baseline or {}, **(predictions or {})}, rule)
    measured |= _at_own_price(measured, more)
    measured[student.name] = _as_served(measured[student.name], more)
    live = next((who.name for who in others if who.role == LIVE), None)
    against = _against(student.name, {teacher.name, live}, scored, rule.confidence)
    labels = _labels(scored[student.name], scored[teacher.name], rule)
    compared = (against[teacher.name], against[live] if live else None)
    return Judgement(
        documents=len(gold),
        rule=rule,
        rule_hash=rule_hash(rule),
        test_set_hash=gold_hash(gold),
        prices_hash=prices_hash(more.prices),
        ruling=decide(rule, measured[teacher.name], measured[student.name], *compared, labels),
        teacher=measured[teacher.name],
        student=measured[student.name],
        others=[m for name, m in measured.items() if name not in (teacher.name, student.name)],
        against=against,
        differences=differences(scored[teacher.name], scored[student.name], _by_document(corrections)),
        disputed=_disputed(disputed or {}, teacher, student),
        by_majority=by_majority,
        reviewers=len({row.reviewer for row in corrections if row.document_id in gold}),
        latencies_s={who.name: _latencies(who, gold) for who in asked} | _warm(student.name, more),
        wanted_precision=wanted_precision,
        reliability=_reliability((teacher, student), scored, wanted_precision, rule.confidence),
        labels=labels,
        **{name: getattr(more, name) for name in Measurements.model_fields},
    )


def _measured(
    gold: Mapping[str, Answer],
    asked: Sequence[Candidate],
    predictions: Mapping[str, Mapping[str, Answer]],
    rule: Rule,
) -> tuple[dict[str, list[Scored]], dict[str, Measured]]:
    """Everybody's scores and figures, by name: models that were asked, then baselines that predicted anything."""
    scored = {who.name: score_candidate(who, gold, rule.fields) for who in asked}
    if len(scored) < len(asked):
        raise InputError(f"Two models on trial share a name: {', '.join(who.name for who in asked)}. Name each once.")
    measured = {who.name: measure_candidate(who, scored[who.name], rule.confidence) for who in asked}
    for name, said in predictions.items():
        if said:
            scored[name] = score_answers(said, gold, rule.fields)
            measured[name] = measure(name, "baseline", scored[name], rule.confidence)
    return scored, measured


def _labels(student: Sequence[Scored], teacher: Sequence[Scored], rule: Rule) -> list[LabelLoss]:
    return [] if rule.label_margin is None else label_losses(student, teacher, rule.label_margin, rule.confidence)


def _at_own_price(measured: Mapping[str, Measured], more: Measurements) -> dict[str, Measured]:
    """Where the student's cost is that of its load and volume, the other models of such a machine have none: theirs
    was not measured so, and a cost by single calls beside it would mislead.
    """
    own = [m for m in measured.values() if m.role in (LIVE, "base", "shown")] if more.student_cost else []
    return {m.name: m.model_copy(update={"cost_per_1000_usd": None}) for m in own}


def _as_served(student: Measured, more: Measurements) -> Measured:
    """The student's figures with the latency of the warm endpoint and the cost at the measured throughput."""
    alone = next((one for one in more.load if one.in_flight == 1 and one.answers), None)
    found: dict[str, Estimate] = {}
    if alone is not None:
        found |= {"latency_p50_s": alone.latency_p50_s, "latency_p95_s": alone.latency_p95_s}
    if more.student_cost is not None:
        found["cost_per_1000_usd"] = more.student_cost.per_1000_usd
    return student.model_copy(update=found)


def _warm(student: str, more: Measurements) -> dict[str, list[float]]:
    alone = next((one for one in more.load if one.in_flight == 1 and one.answers), None)
    return {student: alone.latencies_s} if alone else {}


def _reliability(
    models: Sequence[Candidate], scored: Mapping[str, Sequence[Scored]], wanted: float, confidence: float
) -> dict[str, Reliability]:
    """Of the models that say how sure they are."""
    rows = {who.name: scored[who.name] for who in models}
    found = {
        who.name: reliability(sure_and_right(who, rows[who.name]), len(rows[who.name]), wanted, confidence)
        for who in models
    }
    return {name: one for name, one in found.items() if one is not None}


def _against(
    student: str, credited: Set[str | None], scored: Mapping[str, Sequence[Scored]], confidence: float
) -> dict[str, Paired]:
    """The student against all others. `credited`: those whose failed calls count as right."""
    return {
        name: pair(scored[student], rows, (student, name), confidence, credit=name in credited)
        for name, rows in scored.items()
        if name != student
    }


def _by_document(corrections: Sequence[Correction]) -> dict[str, list[Correction]]:
    found: dict[str, list[Correction]] = {}
    for row in corrections:
        found.setdefault(row.document_id, []).append(row)
    return found


def _disputed(rows: Mapping[str, Sequence[Correction]], teacher: Candidate, student: Candidate) -> list[Disputed]:
    def said(who: Candidate, document_id: str) -> Answer | None:
        label = who.labels.get(document_id)
        return label.value if label and label.outcome is Outcome.answered else None

    return [
        Disputed(document_id=i, teacher=said(teacher, i), student=said(student, i), people=people_said(people))
        for i, people in sorted(rows.items())
    ]


def _latencies(who: Candidate, gold: Mapping[str, Answer]) -> list[float]:
    """Seconds of every call that was answered by the service, in the order of document ids."""
    labels = [who.labels[i] for i in sorted(gold) if i in who.labels]
    return [round(x.latency_s, 5) for x in labels if x.outcome is not Outcome.failed and x.latency_s > 0]
