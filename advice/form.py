"""The form: what a person can say of a task before anything has run, or against what was measured. All of it optional.

The same model is Prefect's form, the YAML of `retort advise --answers FILE`, and what the command line asks. Amounts
are texts (`advice.amounts`). One file:

    numbers: {monthly_requests: 30000, teacher_accuracy: 88 %, changes: 0}
    money: {teacher_cost: 0.04, machine_price: 0.11, engineering_cost: 15000}
    facts: {pilot_months: 3}

What is given counts before what was measured: a form is also how one asks "what if".
"""

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from advice import amounts
from advice.assumptions import HOSTED, NUMBERS
from advice.decision import Thresholds
from advice.situation import Origin, Quantity, Situation, Size


def _checked(text: str) -> str:
    amounts.read(text)
    return text


Amount = Annotated[str, BeforeValidator(amounts.written), AfterValidator(_checked)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Facts(_Section):
    """What overrules the numbers, where it holds."""

    needs_current_facts: bool = Field(default=False, description="It needs facts of the day, or broad knowledge.")
    output_varies: bool = Field(default=False, description="The form of the answer varies from request to request.")
    multi_step_reasoning: bool = Field(default=False, description="It takes reasoning over several steps.")
    data_may_not_leave: bool = Field(default=False, description="The data may not leave our machines.")
    offline: bool = Field(default=False, description="It runs without a network, or on a device.")
    exploring: bool = Field(default=False, description="We still find out what the task is.")
    pilot_months: float | None = Field(default=None, gt=0, le=600, description="Months the whole thing is to run.")
    teacher_model: str | None = Field(default=None, max_length=200, description="A LiteLLM string of the large model.")
    student_size: Size | None = Field(
        default=None, description="small: up to about 3 billion parameters (the default); large: more."
    )
    tuned_model: str | None = Field(
        default=None, max_length=200, description="A LiteLLM string of a hosted fine-tuned model to compare with."
    )


class Numbers(_Section):
    """The six steps."""

    monthly_requests: Amount = Field(default="", description="Requests a month.")
    growth: Amount = Field(default="", description="Growth a month: 2 %.")
    example_pairs: Amount = Field(default="", description="Example pairs that it takes to say the task.")
    changes: Amount = Field(default="", description="Changes of the task in 90 days.")
    latency_budget_s: Amount = Field(default="", description="How long an answer may take: 180 ms, 2 s.")
    teacher_p95_s: Amount = Field(default="", description="The large model's p95 latency.")
    labelled_examples: Amount = Field(default="", description="Answers that people gave or checked.")
    teacher_accuracy: Amount = Field(default="", description="How often the large model is right: 88 %.")
    student_accuracy: Amount = Field(default="", description="How often a small model is right.")
    student_p95_s: Amount = Field(default="", description="A small model's p95 latency.")


class Money(_Section):
    """US dollars, and what they follow from."""

    teacher_cost: Amount = Field(default="", description="USD a request to the large model.")
    repeated_share: Amount = Field(default="", description="Share of requests whose input came before: 10 %.")
    batchable_share: Amount = Field(default="", description="Share of requests that can wait a day.")
    batch_discount: Amount = Field(default="", description="Share of the price that a batch saves.")
    prompt_tokens: Amount = Field(default="", description="Tokens of a request.")
    completion_tokens: Amount = Field(default="", description="Tokens of an answer.")
    student_throughput: Amount = Field(default="", description="Requests a second that one machine answers.")
    peak_to_mean: Amount = Field(default="", description="The busiest hour, as a multiple of the mean one.")
    machine_price: Amount = Field(default="", description="USD an hour of one machine.")
    utilisation: Amount = Field(default="", description="Load of a machine that is planned for: 60 %.")
    endpoint_price: Amount = Field(default="", description="USD an hour of a hosted endpoint.")
    hosted_cost: Amount = Field(default="", description="USD a request to a hosted fine-tuned model.")
    engineering_cost: Amount = Field(default="", description="USD of engineering, once.")
    labels_needed: Amount = Field(default="", description="Labels that are still wanted.")
    label_cost: Amount = Field(default="", description="USD a label.")
    reviewer_hour: Amount = Field(default="", description="USD an hour of a reviewer; the desk's times make the rest.")
    training_cost: Amount = Field(default="", description="USD a training run.")
    retrain_every_months: Amount = Field(default="", description="Months between trainings.")
    monitoring_cost: Amount = Field(default="", description="USD a month for monitoring and the audit sample.")


class Answers(_Section):
    """All of it."""

    facts: Facts = Facts()
    numbers: Numbers = Numbers()
    money: Money = Money()
    thresholds: Thresholds = Thresholds()


class Bound(BaseModel):
    """Unit and bounds of a number that is none of the economics."""

    unit: str
    least: float = 0.0
    most: float = 1e12


BOUNDS = {
    "example_pairs": Bound(unit="example pairs"),
    "changes": Bound(unit="changes", most=1e6),
    "latency_budget_s": Bound(unit="s", most=1e7),
    "teacher_p95_s": Bound(unit="s", most=1e7),
    "student_p95_s": Bound(unit="s", most=1e7),
    "labelled_examples": Bound(unit="labelled examples"),
    "teacher_accuracy": Bound(unit="share", most=1.0),
    "student_accuracy": Bound(unit="share", most=1.0),
    "prompt_tokens": Bound(unit="tokens", most=1e9),
    "completion_tokens": Bound(unit="tokens", most=1e9),
    "reviewer_hour": Bound(unit="USD an hour", most=1e5),
}


def given(answers: Answers) -> Iterator[tuple[str, Quantity]]:
    """Every amount that was filled in, by the name of its number. Raises InputError outside of its bounds."""
    for section in (answers.numbers, answers.money):
        for name, text in section.model_dump().items():
            number = NUMBERS.get(name) or (HOSTED if name == "hosted_cost" else BOUNDS[name])
            found = amounts.quantity(name, text, number.unit, number.least, number.most)
            if found is not None:
                yield name, found


def applied(situation: Situation, answers: Answers) -> Situation:
    """The situation with what a person gave in the place of what was measured; a fact that holds in either holds."""
    numbers = dict(given(answers))
    numbers.pop("reviewer_hour", None)
    facts = {name: value for name, value in answers.facts.model_dump().items() if value not in (False, None)}
    return situation.model_copy(update={**numbers, **facts})


def reviewer_hour(answers: Answers) -> Quantity:
    """What an hour of reviewing costs: as given, else assumed."""
    found = dict(given(answers)).get("reviewer_hour")
    source = "a wide assumption on an hour of a reviewer"
    values = {"value": 35.0, "low": 20.0, "high": 60.0}
    return found or Quantity(**values, unit="USD an hour", origin=Origin.assumed, source=source)
