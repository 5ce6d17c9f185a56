"""The gate: may this student take the teacher's place? One rule, its axes, three answers.

    accuracy     the whole interval of student minus teacher lies above -margin (non-inferiority; Tango's interval)
    live         the same against the student that is live, where there is one
    labels       no label's recall is significantly below the teacher's by more than `label_margin` (Holm)
    latency      the student's p95 is within the budget, warm, at the endpoint that would serve
    cost         the student costs at most `max_cost_ratio` of what the teacher costs
    answers      at most `max_unreadable_rate` of the documents got no readable answer

Rejected when one axis is broken: the whole interval lies below -margin, a label is lost, or a budget is exceeded.
Inconclusive when none is broken but one cannot be decided: the interval straddles -margin, or there are too few test
documents. Approved only when all are met or do not apply. At a true difference of exactly -margin a student passes in
2.5 % of test sets (confidence 0.95). That holds for one look: whoever adds documents and looks again, and again,
passes more often.
"""

from collections.abc import Sequence

from evaluation import axes
from evaluation.aggregate import Measured
from evaluation.compare import Paired
from evaluation.labels import LabelLoss
from evaluation.power import further_documents as further_documents
from evaluation.rule import Axis, Ruling
from evaluation.rule import Rule as Rule
from evaluation.rule import State as State
from evaluation.rule import gold_hash as gold_hash
from evaluation.rule import prices_hash as prices_hash
from evaluation.rule import rule_hash as rule_hash
from records.types import Decision


def decide(
    rule: Rule,
    teacher: Measured,
    student: Measured,
    difference: Paired,
    live: Paired | None = None,
    labels: Sequence[LabelLoss] = (),
) -> Ruling:
    """Apply the rule. `difference` and `live`: the student against the teacher and the live student, as `labels` by
    label against the teacher. The reasons that decided come first.
    """
    found = [axes.accuracy(rule, difference)]
    found += [axes.accuracy(rule, live, "live student")] if live else []
    found += [axes.labels(rule, labels)] if labels and rule.label_margin is not None else []
    found += [axes.latency(rule, student), axes.cost(rule, teacher, student), axes.answers(rule, student)]
    states = {axis.state for axis in found}
    decision, weight = Decision.approved, [State.met, State.not_applicable]
    if State.broken in states:
        decision, weight = Decision.rejected, [State.broken, State.undecided, *weight]
    elif State.undecided in states:
        decision, weight = Decision.inconclusive, [State.undecided, *weight]
    reasons = [axis.sentence for axis in sorted(found, key=lambda axis: weight.index(axis.state))]
    more = _more(rule, found, difference, live) if decision is Decision.inconclusive else None
    return Ruling(decision=decision, reasons=reasons, axes=found, more_documents=more)


def _more(rule: Rule, found: Sequence[Axis], difference: Paired, live: Paired | None) -> int | None:
    """The most that an undecided comparison needs; None where no bearable number would do, or none is undecided."""
    open_ = {axis.name for axis in found if axis.state is State.undecided}
    pairs = [pair for name, pair in (("accuracy", difference), ("live", live)) if name in open_ and pair]
    wanted = [further_documents(rule, pair) for pair in pairs]
    return None if None in wanted else max((n for n in wanted if n is not None), default=None)
