"""What would change the answer: of each number, the value at which another recommendation is given, others as they are.

Each is sought by halving between the value now and an end far off, on a scale of ratios (of shares: of odds), down to
1 %. The range moves with its value. Where the far end gives the same answer there is no flip to tell. A number that is
not known is sought from what is assumed of it.

    flips(...)   # [Flip(quantity="monthly_requests", now=30000, at=14200, above=False, to="keep prompting", ...)]
"""

import math
from collections.abc import Callable, Mapping

from advice.decision import Flip, Recommendation
from advice.situation import Quantity, Situation
from advice.wording import said

NAMES = {
    "monthly_requests": "requests a month",
    "teacher_cost": "the cost of a request to the teacher",
    "machine_price": "the price of a machine",
    "engineering_cost": "the engineering",
    "monitoring_cost": "monitoring",
    "label_cost": "the price of a label",
    "teacher_accuracy": "the teacher's accuracy",
    "latency_budget_s": "the latency budget",
    "labelled_examples": "labelled examples",
    "changes": "changes in 90 days",
    "example_pairs": "example pairs",
}
_MONEY = ("monthly_requests", "teacher_cost", "machine_price", "engineering_cost", "monitoring_cost", "label_cost")
_FAR = math.log(1000.0)
_FINE = math.log(1.01)
_MOST = 6

Answer = Callable[[Situation], Recommendation]


def flips(
    situation: Situation, answer: Answer, now: Recommendation, assumed: Mapping[str, Quantity], with_money: bool
) -> list[Flip]:
    """The nearest changes of the answer, the nearest first, six at most. `with_money`: whether it heeds prices."""
    found = []
    for name in NAMES:
        quantity = getattr(situation, name) or assumed.get(name)
        if quantity is None or (name in _MONEY and not with_money and name != "monthly_requests"):
            continue
        known = getattr(situation, name) is not None
        here = now if known else answer(situation.model_copy(update={name: quantity}))
        for direction in (-1.0, 1.0):
            flip = _sought(situation, name, quantity, direction, answer, here)
            if flip is not None:
                found.append(flip)
    return [flip for _, flip in sorted(found, key=lambda pair: pair[0])][:_MOST]


def _sought(
    situation: Situation, name: str, quantity: Quantity, direction: float, answer: Answer, now: Recommendation
) -> tuple[float, Flip] | None:
    """The flip in one direction, with its distance."""

    def at(distance: float) -> Recommendation:
        return answer(situation.model_copy(update={name: moved(quantity, direction * distance)}))

    if quantity.value <= 0 or (quantity.unit == "share" and not 0 < quantity.value < 1) or at(_FAR) == now:
        return None
    near, far = 0.0, _FAR
    while far - near > _FINE:
        middle = (near + far) / 2
        near, far = (middle, far) if at(middle) == now else (near, middle)
    to, there = at(far), moved(quantity, direction * far)
    way, unit = "above" if direction > 0 else "below", "" if quantity.unit == NAMES[name] else quantity.unit
    held = "now" if getattr(situation, name) is not None else "not known; assumed"
    sentence = (
        f"{NAMES[name][0].upper()}{NAMES[name][1:]}: {way} about {said(there.value, unit)} "
        f"({held} {said(quantity.value, unit)}) the answer is: {to.value}."
    )
    flip = Flip(
        quantity=name,
        name=NAMES[name],
        now=quantity.value,
        at=there.value,
        above=direction > 0,
        unit=quantity.unit,
        to=to,
        sentence=sentence,
    )
    return far, flip


def moved(quantity: Quantity, distance: float) -> Quantity:
    """The quantity times e^distance; a share by its odds, so that it stays one."""

    def to(value: float) -> float:
        if quantity.unit != "share":
            return value * math.exp(distance)
        if not 0 < value < 1:
            return value
        return 1 / (1 + (1 - value) / value * math.exp(-distance))

    values = sorted(to(x) for x in (quantity.low, quantity.value, quantity.high))
    return quantity.model_copy(update=dict(zip(("low", "value", "high"), values, strict=True)))
