"""The gate: may this student take the teacher's place? One rule, four axes, three answers.

    accuracy     the whole interval of student minus teacher lies above -margin (non-inferiority; Tango's interval)
    latency      the student's p95 is within the budget
    cost         the student costs at most `max_cost_ratio` of what the teacher costs
    answers      at most `max_unreadable_rate` of the documents got no readable answer

Rejected when one axis is broken: the whole interval lies below -margin, or a budget is exceeded. Inconclusive when none
is broken but one cannot be decided: the interval straddles -margin, or there are too few test documents. Approved only
when all are met or do not apply. At a true difference of exactly -margin a student passes in 2.5 % of test sets
(confidence 0.95). That holds for one look: whoever adds documents and looks again, and again, passes more often.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from enum import StrEnum

from pydantic import Field

from evaluation.aggregate import Measured
from evaluation.compare import Paired
from evaluation.interval import normal_quantile
from evaluation.wording import count, money, percent, points, seconds, share, signed
from records.types import Answer, Decision, Record

POWER_Z = 0.8416
"""Normal quantile of 0.80, the usual power to plan for."""
TOO_MANY = 100_000


class Rule(Record):
    """The numbers of the gate. Its hash is that of the numbers."""

    margin: float = Field(0.02, ge=0, lt=1, description="how much accuracy a student may lose, as a share")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="of the two-sided interval")
    p95_latency_ms: float | None = Field(None, gt=0, description="None: no budget")
    max_cost_ratio: float | None = Field(None, gt=0, description="student's cost / teacher's; None: no limit")
    max_unreadable_rate: float = Field(0.02, ge=0, le=1, description="unreadable, refused or failed answers")
    min_test_documents: int = Field(100, ge=1)


class State(StrEnum):
    """What one axis says."""

    met = "met"
    broken = "broken"
    undecided = "undecided"
    not_applicable = "not applicable"


class Axis(Record):
    """One condition of the rule, in a sentence with its numbers."""

    name: str
    state: State
    sentence: str


class Ruling(Record):
    """The gate's answer. `more_documents`: about how many further test documents would decide it, where that helps."""

    decision: Decision
    reasons: list[str]
    axes: list[Axis]
    more_documents: int | None = None


def decide(rule: Rule, teacher: Measured, student: Measured, difference: Paired) -> Ruling:
    """Apply the rule. `difference` is student against teacher; the reasons that decided come first."""
    axes = [_accuracy(rule, difference), _latency(rule, student)]
    axes += [_cost(rule, teacher, student), _answers(rule, student)]
    states = {axis.state for axis in axes}
    decision, weight = Decision.approved, [State.met, State.not_applicable]
    if State.broken in states:
        decision, weight = Decision.rejected, [State.broken, State.undecided, *weight]
    elif State.undecided in states:
        decision, weight = Decision.inconclusive, [State.undecided, *weight]
    reasons = [axis.sentence for axis in sorted(axes, key=lambda axis: weight.index(axis.state))]
    more = further_documents(rule, difference) if decision is Decision.inconclusive else None
    return Ruling(decision=decision, reasons=reasons, axes=axes, more_documents=more)


def further_documents(rule: Rule, pair: Paired) -> int | None:
    """How many more human-checked test documents would decide on accuracy with 80 % power, if all goes on as observed.

    The usual size of a paired non-inferiority trial, (z_confidence + z_power)^2 * variance / (difference + margin)^2,
    with the discordant counts each raised by 0.5 (Agresti & Min 2005, Stat Med 24:729-740), so that none seen is not
    taken for none there. `None`: the difference sits so close to the margin that no bearable number would.
    """
    n = pair.documents + 2
    first, second = (pair.first_only + 0.5) / n, (pair.second_only + 0.5) / n
    variance, distance = first + second - (first - second) ** 2, abs(first - second + rule.margin)
    if distance == 0:
        return None
    needed = ((normal_quantile(rule.confidence) + POWER_Z) / distance) ** 2 * variance
    more = max(needed, rule.min_test_documents) - pair.documents
    return _two_digits(max(more, 1)) if more <= TOO_MANY else None


def _two_digits(number: float) -> int:
    """Rounded up to two significant digits: a plan, not a promise."""
    step = int(10 ** max(0, math.floor(math.log10(number)) - 1))
    return math.ceil(number / step) * step


def _accuracy(rule: Rule, pair: Paired) -> Axis:
    low, high, limit = pair.difference.low, pair.difference.high, -rule.margin
    documents = count(pair.documents, "test document")
    said = f"On {documents} the student's accuracy minus the teacher's is {points(pair.difference)}"
    if pair.credited:
        said += f" (counting as right {count(pair.credited, 'document')} on which the teacher's service failed)"
    margin = f"the margin of {signed(limit)} points"
    if low is None or high is None:
        return Axis(name="accuracy", state=State.undecided, sentence="There is no test document to compare on.")
    if high < limit and not pair.credited:
        return Axis(name="accuracy", state=State.broken, sentence=f"{said}: wholly below {margin}.")
    if pair.documents < rule.min_test_documents:
        few = f"; the rule asks for at least {count(rule.min_test_documents, 'test document')}, whatever they say."
        return Axis(name="accuracy", state=State.undecided, sentence=said + few)
    if low > limit:
        return Axis(name="accuracy", state=State.met, sentence=f"{said}: wholly above {margin}.")
    return Axis(name="accuracy", state=State.undecided, sentence=f"{said}: {margin} lies inside. {_plan(rule, pair)}")


def _plan(rule: Rule, pair: Paired) -> str:
    if pair.credited:
        return "Ask the teacher again where its service failed; what was answered is not asked again."
    more = further_documents(rule, pair)
    if more is None:
        return "The difference is so close to the margin that more test documents would hardly decide it."
    documents = count(more, "more human-checked test document")
    return f"About {documents} would probably decide it (80 % power, if the difference stays as it is)."


def _latency(rule: Rule, student: Measured) -> Axis:
    p95, budget = student.latency_p95_s, rule.p95_latency_ms
    if budget is None:
        return Axis(name="latency", state=State.not_applicable, sentence="The rule sets no latency budget.")
    if p95 is None or p95.value is None:
        return Axis(name="latency", state=State.undecided, sentence="The student's latency was not measured.")
    state = State.met if 1000 * p95.value <= budget else State.broken
    word = "within" if state is State.met else "over"
    said = f"The student's p95 latency is {seconds(p95)}, {word} the budget of {budget:,.0f} ms."
    return Axis(name="latency", state=state, sentence=said)


def _cost(rule: Rule, teacher: Measured, student: Measured) -> Axis:
    ours = student.cost_per_1000_usd.value if student.cost_per_1000_usd else None
    theirs = teacher.cost_per_1000_usd.value if teacher.cost_per_1000_usd else None
    state, said = State.not_applicable, ""
    if rule.max_cost_ratio is None:
        said = "The rule sets no limit on cost."
    elif not theirs:
        said = (
            "The teacher's calls cost nothing (a local model, or no price is set), so there is no cost ratio to judge."
        )
    elif ours == 0:
        state = State.met
        said = f"The student's machine has no price, so its cost counts as nothing; the teacher costs {money(theirs)}."
    elif ours is None:
        state, said = State.undecided, "The student's cost is unknown: set its machine's price per hour."
    else:
        ratio = ours / theirs
        state = State.met if ratio <= rule.max_cost_ratio else State.broken
        word = "within" if state is State.met else "over"
        said = f"1,000 documents cost {money(ours)} with the student and {money(theirs)} with the teacher: "
        said += f"{percent(ratio)} of it, {word} the limit of {percent(rule.max_cost_ratio)}."
    return Axis(name="cost", state=state, sentence=said)


def _answers(rule: Rule, student: Measured) -> Axis:
    rate = student.no_answer.value or 0.0
    state = State.met if rate <= rule.max_unreadable_rate else State.broken
    word = "within" if state is State.met else "over"
    return Axis(
        name="answers",
        state=state,
        sentence=f"The student gave no readable answer on {share(student.no_answer)} of the documents, "
        f"{word} the limit of {percent(rule.max_unreadable_rate)}.",
    )


def rule_hash(rule: Rule) -> str:
    """SHA-256 (hex) of the rule's numbers."""
    return hashlib.sha256(json.dumps(rule.model_dump(), sort_keys=True).encode()).hexdigest()


def gold_hash(gold: Mapping[str, Answer]) -> str:
    """SHA-256 (hex) of the document ids with their gold answers, in the order of ids."""
    rows = json.dumps(sorted(gold.items()), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(rows.encode()).hexdigest()
