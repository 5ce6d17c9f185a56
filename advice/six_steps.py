"""The six steps: what each number says of prompting and fine-tuning, beside its threshold, in a sentence.

    1 pairs      fewer than 20 example pairs say the task         -> prompt
    2 changes    it changes often (3 times in 90 days)            -> prompt
    3 volume     under 1,000 requests a month                     -> prompt; under 1,000 a day: usually bearable
    4 latency    a budget under 200 ms, or one the teacher misses -> fine-tune
    5 labels     at least 500 labelled examples                   -> fine-tune; else what is missing, and its price
    6 accuracy   the teacher above 95 %                           -> prompt; below 85 %: fine-tune; between: economics

    steps(situation, Thresholds())    # six `Step`s, in this order

A step goes by the value; `sure` says whether its whole range agrees. Nothing is decided here (`advice.recommend`).
"""

from collections.abc import Callable

from advice.decision import Leaning, Step, Thresholds
from advice.situation import Quantity, Situation
from advice.wording import number, quantity, said

MONTH_DAYS = 30.44
LABEL_USD = (2.0, 5.0)
"""What one label costs where nobody knows: 1,000 for $2,000 to $5,000."""


def steps(situation: Situation, thresholds: Thresholds) -> list[Step]:
    """All six, in their order."""
    return [step(situation, thresholds) for step in (_pairs, _changes, _volume, _latency, _labels, _accuracy)]


def _judged(found: Quantity, leaning: Callable[[float], Leaning]) -> tuple[Leaning, bool]:
    """The leaning at the value, and whether both ends of the range lean alike."""
    at_value = leaning(found.value)
    return at_value, at_value == leaning(found.low) == leaning(found.high)


def _pairs(situation: Situation, limits: Thresholds) -> Step:
    few, found = limits.few_pairs, situation.example_pairs
    step = Step(number=1, name="example pairs", value=found, threshold=f"fewer than {number(few)}: prompt")
    if found is None:
        return _because(step, "nobody said how many example pairs it takes to say the task")
    judged = _judged(found, lambda x: Leaning.prompt if x < few else Leaning.fine_tune)
    says = "say the task, and a prompt holds them" if judged[0] is Leaning.prompt else "are many for a prompt"
    return _because(step, f"{quantity(found)} {says}", judged)


def _changes(situation: Situation, limits: Thresholds) -> Step:
    often, found = limits.often_changed, situation.changes
    threshold = f"{number(often)} in 90 days, or more: prompt"
    step = Step(number=2, name="changes", value=found, threshold=threshold)
    if found is None:
        return _because(step, "nobody said how often the task changes")
    judged = _judged(found, lambda x: Leaning.prompt if x >= often else Leaning.fine_tune)
    says = "it holds still long enough to be learned"
    if judged[0] is Leaning.prompt:
        says = "each wants new labels and a training, and a prompt is changed in a minute"
    return _because(step, f"{quantity(found)} in 90 days: {says}", judged)


def _volume(situation: Situation, limits: Thresholds) -> Step:
    low, high, found = limits.low_volume, limits.bearable_daily * MONTH_DAYS, situation.monthly_requests
    threshold = f"under {number(low)} a month: prompt; under {number(limits.bearable_daily)} a day: usually bearable"
    step = Step(number=3, name="volume", value=found, threshold=threshold)
    if found is None:
        return _because(step, "nobody knows how many requests come in a month")
    judged = _judged(found, lambda x: Leaning.prompt if x < low else Leaning.either if x < high else Leaning.fine_tune)
    says = {
        Leaning.prompt: "too few to pay for a model of one's own",
        Leaning.either: "prompting is usually bearable, so the economics decide",
        Leaning.fine_tune: "enough for a model of one's own to pay back",
    }
    return _because(step, f"{quantity(found)}: {says[judged[0]]}", judged)


def _latency(situation: Situation, limits: Thresholds) -> Step:
    tight, budget, teacher = limits.tight_latency_s, situation.latency_budget_s, situation.teacher_p95_s
    threshold = f"under {said(tight, 's')}: a small model on own hardware"
    step = Step(number=4, name="latency budget", value=budget, beside=teacher, threshold=threshold)
    beside = f"the teacher's p95 is {quantity(teacher)}" if teacher else "the teacher's p95 was not measured"
    if budget is None:
        return _because(step, f"nobody said how long an answer may take; {beside}")
    p95 = teacher.value if teacher else 0.0
    judged = _judged(budget, lambda x: Leaning.fine_tune if x < tight or x < p95 else Leaning.either)
    says = "which leaves both open"
    if judged[0] is Leaning.fine_tune:
        says = "which only a small model on own hardware keeps" if budget.value < tight else "which the teacher misses"
    return _because(step, f"an answer may take {quantity(budget)}, {says}; {beside}", judged)


def _labels(situation: Situation, limits: Thresholds) -> Step:
    enough, found = limits.enough_labels, situation.labelled_examples
    threshold = f"at least {number(enough)} good ones; else their price"
    step = Step(number=5, name="labelled examples", value=found, threshold=threshold)
    if found is None:
        return _because(step, "nobody said how many answers people gave or checked")
    judged = _judged(found, lambda x: Leaning.fine_tune if x >= enough else Leaning.either)
    if judged[0] is Leaning.fine_tune:
        return _because(step, f"{quantity(found)} are enough to train on", judged)
    lack = max(1.0, enough - found.value)
    return _because(step, f"{quantity(found)}: {number(lack)} more are wanted, {_price(situation, lack)}", judged)


def _price(situation: Situation, count: float) -> str:
    each = situation.label_cost
    low, high = (each.low, each.high) if each else LABEL_USD
    source = each.source if each else "1,000 labels for $2,000 to $5,000"
    return f"for {said(low * count, 'USD')} to {said(high * count, 'USD')} ({source})"


def _accuracy(situation: Situation, limits: Thresholds) -> Step:
    good, poor = limits.good_teacher, limits.poor_teacher
    teacher, student = situation.teacher_accuracy, situation.student_accuracy
    threshold = f"teacher above {said(good, 'share')}: little to gain; below {said(poor, 'share')}: fine-tune"
    step = Step(number=6, name="accuracy", value=teacher, beside=student, threshold=threshold)
    if teacher is None:
        return _because(step, "the teacher was never measured on answers that people gave")
    judged = _judged(
        teacher, lambda x: Leaning.prompt if x > good else Leaning.fine_tune if x < poor else Leaning.either
    )
    says = {
        Leaning.prompt: "there is little to gain",
        Leaning.either: "the economics decide",
        Leaning.fine_tune: "fine-tuning very likely helps",
    }
    gap = f", the student on {quantity(student)}" if student else ""
    return _because(step, f"the teacher is right on {quantity(teacher)}{gap}: {says[judged[0]]}", judged)


def _because(step: Step, reason: str, judged: tuple[Leaning, bool] = (Leaning.unknown, False)) -> Step:
    """The step with its verdict, the reason as a sentence."""
    sentence = f"{reason[0].upper()}{reason[1:]}."
    return step.model_copy(update={"leaning": judged[0], "sure": judged[1], "reason": sentence})
