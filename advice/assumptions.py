"""Every number that the economics need, with its bounds, and what is assumed where nobody knows it.

An assumed range is wide on purpose: what was not measured must not look known. It is named on the page as the next
thing to measure, the one that moves the result most first. One real row:

    Assumption(name="teacher_cost", title="One request to the teacher", quantity=Quantity(value=0.04, low=0.038,
               high=0.043, unit="USD a request", origin="measured", source="the ledger: 30,211 answers of 30 days"))
"""

from dataclasses import dataclass

from advice.prices import Prices, Rates, range_of
from advice.situation import Origin, Quantity, Situation
from records.errors import InputError
from records.types import Record


@dataclass(frozen=True)
class Number:
    """How a number is called, between what it must lie, and what is assumed of it: value, low, high, and why."""

    title: str
    unit: str
    least: float
    most: float
    value: float
    low: float
    high: float
    why: str


class Assumption(Record):
    """A number as it is reckoned with. Grain: one per number and situation."""

    name: str
    title: str
    quantity: Quantity


NUMBERS = {
    "monthly_requests": Number(
        "Requests a month", "requests a month", 0, 1e12, 10_000, 100, 1e6, "from a trial to a product"
    ),
    "growth": Number("Growth a month", "share a month", -1, 1, 0, -0.02, 0.05, "a steady service"),
    "teacher_cost": Number(
        "One request to the teacher", "USD a request", 0, 1e4, 0.01, 0.0005, 0.1, "list prices of small to large models"
    ),
    "repeated_share": Number("Repeated requests (cache)", "share", 0, 1, 0, 0, 0.2, "no cache, or one that helps"),
    "batchable_share": Number("Requests that can wait (batch)", "share", 0, 1, 0, 0, 0.5, "most are waited for"),
    "batch_discount": Number(
        "Discount of a batch API", "share", 0, 1, 0.5, 0.5, 0.5, "OpenAI and Anthropic ask half of the list price"
    ),
    "student_throughput": Number(
        "Requests a second of one machine", "requests a second", 1e-6, 1e6, 5, 1, 30, "students of 0.1 to 3 B"
    ),
    "utilisation": Number("Planned load of a machine", "share", 0.01, 1, 0.6, 0.4, 0.8, "queues grow beyond"),
    "peak_to_mean": Number("Busiest hour to mean hour", "times", 1, 1000, 4, 2, 10, "office hours to rare bursts"),
    "machine_price": Number("One machine", "USD an hour", 0, 1e5, 0.8, 0.5, 1.1, "small GPUs"),
    "endpoint_price": Number("One hosted endpoint", "USD an hour", 0, 1e5, 0.8, 0.5, 1.1, "small GPUs"),
    "engineering_cost": Number("Engineering, once", "USD", 0, 1e10, 15_000, 5_000, 40_000, "one to eight weeks"),
    "labels_needed": Number("Labels still to be made", "labels", 0, 1e9, 1000, 500, 3000, "hundreds to thousands"),
    "label_cost": Number("One label", "USD a label", 0, 1e5, 3, 2, 5, "1,000 labels for $2,000 to $5,000"),
    "training_cost": Number("One training run", "USD a run", 0, 1e9, 100, 10, 1000, "GPU hours and a look at it"),
    "retrain_every_months": Number("Retraining every", "months", 0.1, 1200, 6, 3, 12, "as the documents drift"),
    "monitoring_cost": Number(
        "Monitoring and audit", "USD a month", 0, 1e9, 300, 50, 1500, "an hour to a few days a month"
    ),
}
OPTIONAL = "hosted_cost"
HOSTED = Number("One request to a hosted student", "USD a request", 0, 1e4, 0, 0, 0, "")


def gather(situation: Situation, prices: Prices, rates: Rates) -> dict[str, Assumption]:
    """Every number by name: what is known, else what prices and tokens give, else what is assumed.

    `hosted_cost` is there only if it is known. Raises InputError for a number outside its bounds.
    """
    known = {**_derived(situation, prices, rates), **_given(situation)}
    found = {name: known.get(name) or _assumed(number) for name, number in NUMBERS.items()}
    if OPTIONAL in known:
        found[OPTIONAL] = known[OPTIONAL]
    return {name: _checked(name, quantity) for name, quantity in found.items()}


def _given(situation: Situation) -> dict[str, Quantity]:
    quantities = ((name, getattr(situation, name, None)) for name in (*NUMBERS, OPTIONAL))
    return {name: quantity for name, quantity in quantities if quantity is not None}


def _derived(situation: Situation, prices: Prices, rates: Rates) -> dict[str, Quantity]:
    """What follows from prices and tokens, and how many labels are missing."""
    size = situation.student_size or "small"
    found = {"machine_price": range_of(prices.machines, size), "endpoint_price": range_of(prices.endpoints, size)}
    sent, said = situation.prompt_tokens, situation.completion_tokens
    if sent is not None and said is not None:
        if rates.teacher is not None:
            teacher, discount = rates.teacher, rates.teacher.batch_discount(sent.value, said.value)
            ends = [teacher.request(getattr(sent, end), getattr(said, end)) for end in ("value", "low", "high")]
            found["teacher_cost"] = _priced(ends, "USD a request", f"tokens at the list price of {teacher.model}")
            found["batch_discount"] = _priced([discount] * 3, "share", f"list price of {teacher.model}")
        if rates.tuned is not None:
            tuned = rates.tuned
            low = tuned.request(0.3 * sent.low, said.low)  # a trained model needs no examples in its prompt
            ends = [tuned.request(sent.value, said.value), low, tuned.request(sent.high, said.high)]
            source = f"the teacher's tokens, down to a third without examples, at the list price of {tuned.model}"
            found[OPTIONAL] = _priced(ends, "USD a request", source)
    if situation.labelled_examples is not None:
        number, there = NUMBERS["labels_needed"], situation.labelled_examples
        ends = [max(0.0, wanted - there.value) for wanted in (number.value, number.low, number.high)]
        found["labels_needed"] = _priced(ends, number.unit, f"of {number.low:,.0f} to {number.high:,.0f} wanted")
    return found


def _priced(ends: list[float], unit: str, source: str) -> Quantity:
    value, low, high = ends
    return Quantity(value=value, low=low, high=high, unit=unit, origin=Origin.estimated, source=source)


def _assumed(number: Number) -> Quantity:
    ends = {"value": number.value, "low": number.low, "high": number.high}
    return Quantity(**ends, unit=number.unit, origin=Origin.assumed, source=number.why)


def _checked(name: str, quantity: Quantity) -> Assumption:
    number = NUMBERS.get(name, HOSTED)
    if quantity.low < number.least or quantity.high > number.most:
        raise InputError(
            f"{name}: {quantity.low:g} to {quantity.high:g} {quantity.unit} cannot be reckoned with; "
            f"it must lie between {number.least:g} and {number.most:g} ({number.unit})."
        )
    return Assumption(name=name, title=number.title, quantity=quantity)
