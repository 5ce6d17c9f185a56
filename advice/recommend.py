"""One recommendation out of six steps, what overrules them, and the economics. A pure function of the situation.

In this order, the first that holds decides:

    an overrule                                 RAG, a model of one's own, or the prompt (`advice.overrules`)
    a latency that prompting cannot keep        a model of one's own
    a step that says prompt (1, 2, 3, 6)        keep prompting and collect
    too little is measured, and it matters      measure more days
    the teacher is poor (6)                     a model of one's own, unless a pilot ends before it pays
    the economics                               a model of one's own, if it likely pays back within the horizon

A model of one's own is `distil` (label, correct, train), or `fine-tune on what is there` where the labels suffice.
More volume moves the answer one way only: keep prompting, measure, a model of one's own (a property in the tests).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from advice.decision import Advice, Leaning, Payoff, Recommendation, Step, Thresholds
from advice.flips import Answer, flips
from advice.missing import missing
from advice.overrules import overrules, reason_of, settled
from advice.situation import Origin, Quantity, Situation
from advice.six_steps import steps
from advice.terms import for_model
from advice.wording import number

PayoffOf = Callable[[Situation], Payoff]
_LEAST_DAYS = 7.0
"""A shorter log has not seen each day of a week: it cannot say that there are few requests."""
_GREY = (0.2, 0.8)
"""A chance of paying back between these is no answer while there is still something to measure."""
_OPENING = {
    Recommendation.keep_prompting: "Keep prompting, and collect what is asked and answered",
    Recommendation.distil: "Distil: label with the teacher, correct, train a small model",
    Recommendation.fine_tune: "Fine-tune a small model on the labels that are there",
    Recommendation.rag: "Use retrieval with a large model (RAG)",
}


class Decided(NamedTuple):
    """What was decided, by what, and why in a clause each."""

    recommendation: Recommendation
    by: list[str]
    reasons: list[str]


def decide(situation: Situation, limits: Thresholds, payoff: Payoff | None) -> Decided:
    """The order above."""
    found = {step.number: step for step in steps(situation, limits)}
    own = Recommendation.fine_tune if found[5].leaning is Leaning.fine_tune else Recommendation.distil
    over, because = settled(situation, own), reason_of(situation)
    if over and because:
        return Decided(over, [because[0]], [because[1]])
    if found[4].leaning is Leaning.fine_tune:
        return Decided(own, [found[4].name], [found[4].reason])
    against = [found[n] for n in (1, 2, 3, 6) if found[n].leaning is Leaning.prompt]
    if [step.number for step in against] == [3] and _unmeasured(situation, limits):
        if (situation.days_covered or 0.0) < _LEAST_DAYS:
            return _measure(found[3].name, f"{found[3].reason} Less than a week was measured.")
        if not found[3].sure:
            return _measure(found[3].name, f"{found[3].reason} The range says otherwise too.")
    if against:
        return Decided(Recommendation.keep_prompting, [s.name for s in against], [s.reason for s in against])
    if situation.monthly_requests is None:
        return _measure(found[3].name, found[3].reason)
    return _by_money(situation, limits, payoff, found, own)


def _by_money(
    situation: Situation, limits: Thresholds, payoff: Payoff | None, found: Mapping[int, Step], own: Recommendation
) -> Decided:
    poor = found[6].leaning is Leaning.fine_tune
    if payoff is None:
        for_it = [found[n] for n in (3, 6) if found[n].leaning is Leaning.fine_tune]
        chosen = own if for_it else Recommendation.keep_prompting
        return Decided(chosen, [s.name for s in for_it or [found[3]]], [s.reason for s in for_it or [found[3]]])
    if poor and situation.pilot_months is None:
        return Decided(own, [found[6].name], [found[6].reason, pays(payoff)])
    if _unmeasured(situation, limits) and _GREY[0] < payoff.chance < _GREY[1]:
        return _measure("economics", pays(payoff))
    if payoff.chance >= 0.5:
        return Decided(own, ["economics"], [pays(payoff)])
    by = ["economics"] if situation.pilot_months is None else ["economics", "pilot"]
    return Decided(Recommendation.keep_prompting, by, [pays(payoff)])


def _measure(name: str, reason: str) -> Decided:
    return Decided(Recommendation.measure, [name], [reason])


def _unmeasured(situation: Situation, limits: Thresholds) -> bool:
    """Whether the volume was measured, but over too few days. What a person gave is not made surer by waiting."""
    volume, days = situation.monthly_requests, situation.days_covered
    given = volume is not None and volume.origin is Origin.given
    return not given and days is not None and days < limits.wanted_days


def pays(payoff: Payoff) -> str:
    """When a student pays back, in a sentence."""
    horizon = f"within {number(payoff.horizon_months)} months with a chance of {100 * payoff.chance:.0f} %"
    if payoff.months is None:
        return f"At these numbers a student does not pay back within five years; {horizon}."
    low = "?" if payoff.low is None else number(round(payoff.low, 1))
    high = "more than 60" if payoff.high is None else number(round(payoff.high, 1))
    ends = "" if payoff.low == payoff.high else f" ({low} to {high}, 90 %)"
    return f"A student pays back after {number(round(payoff.months, 1))} months{ends}, {horizon}."


def advise(
    situation: Situation,
    payoff_of: PayoffOf | None = None,
    thresholds: Thresholds | None = None,
    assumed: Mapping[str, Quantity] | None = None,
    moving: Sequence[str] = (),
) -> Advice:
    """The whole answer.

    `payoff_of`: when a student pays back in a situation; it must give the same for the same. `assumed`: numbers that
    the economics put in for what is not known. `moving`: their names, the one that moves the result most first.
    """
    limits = thresholds or Thresholds()
    payoff = payoff_of(situation) if payoff_of else None
    decided = decide(situation, limits, payoff)
    covered = situation.days_covered or 0.0
    days = max(1, math.ceil(limits.wanted_days - covered)) if decided.recommendation is Recommendation.measure else None
    terms = for_model(situation.teacher_model)
    return Advice(
        task=situation.task,
        recommendation=decided.recommendation,
        sentence=_sentence(decided, days, situation),
        decided_by=decided.by,
        steps=steps(situation, limits),
        overrules=overrules(situation),
        payoff=payoff,
        flips=flips(
            situation, _answering(limits, payoff_of), decided.recommendation, assumed or {}, payoff_of is not None
        ),
        missing=missing(situation, moving),
        terms=[terms] if terms else [],
        notes=[*_without(situation, limits, payoff), *_notes(situation, limits, decided)],
        measure_days=days,
        thresholds=limits,
        situation=situation,
    )


def _answering(limits: Thresholds, payoff_of: PayoffOf | None) -> Answer:
    """The recommendation as a function; the economics are reckoned once for each set of its own numbers."""
    known: dict[Situation, Payoff] = {}
    others = dict.fromkeys(("teacher_accuracy", "latency_budget_s", "changes", "example_pairs", "teacher_p95_s"))

    def answer(situation: Situation) -> Recommendation:
        if payoff_of is None:
            return decide(situation, limits, None).recommendation
        money = situation.model_copy(update=others)
        if money not in known:
            known[money] = payoff_of(situation)
        return decide(situation, limits, known[money]).recommendation

    return answer


def _sentence(decided: Decided, days: int | None, situation: Situation) -> str:
    opening = _OPENING.get(decided.recommendation) or f"Measure {days} more days before you decide"
    if decided.recommendation is Recommendation.rag and (situation.data_may_not_leave or situation.offline):
        opening += " on own machines"
    first = decided.reasons[0].rstrip(".")
    more = f" ({len(decided.reasons) - 1} more reasons say so)" if len(decided.reasons) > 2 else ""
    begins = first[0].lower() if first[1:2] in (" ", first[1:2].lower()) else first[0]
    return f"{opening}: {begins}{first[1:]}{more}."


def _without(situation: Situation, limits: Thresholds, payoff: Payoff | None) -> list[str]:
    """What the answer would be if the fact that settled it did not hold."""
    over = next((one for one in overrules(situation) if one.decides), None)
    if over is None:
        return []
    other = decide(situation.model_copy(update={over.field: False}), limits, payoff).recommendation
    return [f"Were it not for this ({over.name}), the answer would be: {other.value}."]


def _notes(situation: Situation, limits: Thresholds, decided: Decided) -> list[str]:
    said, days = [], situation.days_covered
    if days is not None and days < limits.wanted_days:
        said.append(f"{number(round(days, 1))} days were measured; {number(limits.wanted_days)} to 90 are wanted.")
    ours, theirs = situation.student_accuracy, situation.teacher_accuracy
    if ours and theirs and ours.value < theirs.value:
        said.append(
            "The student that was trained is right less often than the teacher: more labels come before a release."
        )
    if decided.recommendation in (Recommendation.distil, Recommendation.fine_tune):
        known = situation.teacher_model and for_model(situation.teacher_model)
        if situation.teacher_model and not known:
            said.append(f"Whose terms apply to {situation.teacher_model} is not in the table: check them.")
        if situation.data_may_not_leave and decided.recommendation is Recommendation.distil:
            said.append("The teacher too must run on own machines, or people label alone.")
    return said
