"""The axes of the gate, one function each: measured figures and the rule become a state and a sentence with numbers."""

from collections.abc import Sequence

from evaluation.aggregate import Measured
from evaluation.compare import Paired
from evaluation.labels import LEAST, LabelLoss
from evaluation.power import further_documents
from evaluation.rule import Axis, Rule, State
from evaluation.wording import count, money, percent, points, probability, seconds, share, signed


def accuracy(rule: Rule, pair: Paired, other: str = "teacher") -> Axis:
    """Non-inferiority: the whole interval of the student minus the other lies above the margin. `other`: in words."""
    name = "accuracy" if other == "teacher" else "live"
    low, high, limit = pair.difference.low, pair.difference.high, -rule.margin
    said = f"On {count(pair.documents, 'test document')} the student's accuracy minus the {other}'s is "
    said += points(pair.difference)
    if pair.credited:
        said += f" (counting as right {count(pair.credited, 'document')} on which the {other}'s service failed)"
    margin = f"the margin of {signed(limit)} points"
    if low is None or high is None:
        return Axis(name=name, state=State.undecided, sentence="There is no test document to compare on.")
    if high < limit and not pair.credited:
        return Axis(name=name, state=State.broken, sentence=f"{said}: wholly below {margin}.")
    if pair.documents < rule.min_test_documents:
        few = f"; the rule asks for at least {count(rule.min_test_documents, 'test document')}, whatever they say."
        return Axis(name=name, state=State.undecided, sentence=said + few)
    if low > limit:
        return Axis(name=name, state=State.met, sentence=f"{said}: wholly above {margin}.")
    plan = _plan(rule, pair, other)
    return Axis(name=name, state=State.undecided, sentence=f"{said}: {margin} lies inside. {plan}")


def _plan(rule: Rule, pair: Paired, other: str) -> str:
    if pair.credited:
        return f"Ask the {other} again where its service failed; what was answered is not asked again."
    more = further_documents(rule, pair)
    if more is None:
        return "The difference is so close to the margin that more test documents would hardly decide it."
    documents = count(more, "more human-checked test document")
    return f"About {documents} would probably decide it (80 % power, if the difference stays as it is)."


def labels(rule: Rule, losses: Sequence[LabelLoss]) -> Axis:
    """No label is significantly worse than its margin. Never undecided: one with few documents is not judged."""
    margin = f"{signed(-(rule.label_margin or 0.0))} points"
    judged = [one for one in losses if one.p is not None]
    worse = [one for one in judged if one.worse]
    few = len(losses) - len(judged)
    left = f" {count(few, 'label')} with fewer than {LEAST} test documents could not be judged." if few else ""
    if worse:
        named = "; ".join(f"{x.label} {points(x.difference)}, {probability(x.p_holm or 0.0)}" for x in worse[:5])
        more = f" and {len(worse) - 5} more" if len(worse) > 5 else ""
        said = f"Significantly worse than the label margin of {margin} (Holm): {named}{more}.{left}"
        return Axis(name="labels", state=State.broken, sentence=said)
    if not judged:
        return Axis(name="labels", state=State.not_applicable, sentence=left.strip() or "There is no label.")
    said = f"No label is significantly worse than its margin of {margin}, of {len(judged)} judged (Holm).{left}"
    return Axis(name="labels", state=State.met, sentence=said)


def latency(rule: Rule, student: Measured) -> Axis:
    """The student's p95 is within the budget."""
    p95, budget = student.latency_p95_s, rule.p95_latency_ms
    if budget is None:
        return Axis(name="latency", state=State.not_applicable, sentence="The rule sets no latency budget.")
    if p95 is None or p95.value is None:
        return Axis(name="latency", state=State.undecided, sentence="The student's latency was not measured.")
    state = State.met if 1000 * p95.value <= budget else State.broken
    word = "within" if state is State.met else "over"
    said = f"The student's p95 latency is {seconds(p95)}, {word} the budget of {budget:,.0f} ms."
    return Axis(name="latency", state=state, sentence=said)


def cost(rule: Rule, teacher: Measured, student: Measured) -> Axis:
    """The student costs at most `max_cost_ratio` of what the teacher costs."""
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


def answers(rule: Rule, student: Measured) -> Axis:
    """At most `max_unreadable_rate` of the documents got no readable answer."""
    rate = student.no_answer.value or 0.0
    state = State.met if rate <= rule.max_unreadable_rate else State.broken
    word = "within" if state is State.met else "over"
    return Axis(
        name="answers",
        state=state,
        sentence=f"The student gave no readable answer on {share(student.no_answer)} of the documents, "
        f"{word} the limit of {percent(rule.max_unreadable_rate)}.",
    )
