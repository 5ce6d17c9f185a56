"""What a decision stands on: every number with its range and where it comes from.

A number is measured (from logs, the ledger, the desk), estimated from such, given by a person, or assumed by us; what
nobody knows is None, and is named as the next thing to measure. One real row:

    Quantity(value=0.04, low=0.038, high=0.043, unit="USD a request", origin="measured",
             source="the ledger: 30,211 answers of 30 days")

Units: money in US dollars, durations in seconds (months of 30.44 days where the name says so), shares in 0..1.
"""

from enum import StrEnum
from typing import Literal

from pydantic import Field, model_validator

from records.types import Record

Size = Literal["small", "large"]


class Origin(StrEnum):
    """Where a number comes from, the surest first."""

    measured = "measured"
    estimated = "estimated"
    given = "given"
    assumed = "assumed"


class Quantity(Record):
    """A number, the range in which it lies with 90 % (`low` to `high`), its unit, and its origin in a sentence."""

    value: float = Field(allow_inf_nan=False)
    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)
    unit: str
    origin: Origin
    source: str

    @model_validator(mode="after")
    def _in_order(self) -> "Quantity":
        if not self.low <= self.value <= self.high:
            raise ValueError(f"the range {self.low} to {self.high} does not hold the value {self.value}")
        return self


class Situation(Record):
    """A task as the decision sees it. None: not known. Grain: one per task and moment."""

    task: str

    # the six steps
    example_pairs: Quantity | None = None
    """How many example pairs it takes to say the task."""
    changes: Quantity | None = None
    """Changes of the task's definition in the last 90 days."""
    monthly_requests: Quantity | None = None
    growth: Quantity | None = None
    """Growth of the requests a month, as a share (0.02: 2 % more each month)."""
    latency_budget_s: Quantity | None = None
    teacher_p95_s: Quantity | None = None
    labelled_examples: Quantity | None = None
    """Answers that people gave or checked."""
    teacher_accuracy: Quantity | None = None
    student_accuracy: Quantity | None = None
    student_p95_s: Quantity | None = None

    # what overrules them
    needs_current_facts: bool = False
    output_varies: bool = False
    multi_step_reasoning: bool = False
    data_may_not_leave: bool = False
    offline: bool = False
    exploring: bool = False
    pilot_months: float | None = Field(default=None, gt=0, le=1200, allow_inf_nan=False)
    """How long the whole thing is to run, where that is known: a pilot of three months."""
    teacher_model: str | None = None
    """A LiteLLM string: whose terms and list prices apply."""
    student_size: Size | None = None
    """What a student needs of a machine; small (as which None counts): up to about 3 billion parameters."""
    tuned_model: str | None = None
    """A LiteLLM string of a hosted fine-tuned model that is paid by the token, to compare with."""
    days_covered: float | None = None
    """How many days of production the measured numbers come from."""

    # money of prompting
    teacher_cost: Quantity | None = None
    """US dollars a request, as it is paid now."""
    repeated_share: Quantity | None = None
    """Share of requests whose input was seen before: what a cache would save."""
    batchable_share: Quantity | None = None
    """Share of requests that can wait for a provider's batch API."""
    batch_discount: Quantity | None = None
    """Share of the price that the batch API saves."""
    prompt_tokens: Quantity | None = None
    completion_tokens: Quantity | None = None
    """Tokens a request, of the teacher."""

    # money of a student
    student_throughput: Quantity | None = None
    """Requests a second that one machine answers."""
    peak_to_mean: Quantity | None = None
    """Requests in the busiest hour, as a multiple of the mean hour's."""
    machine_price: Quantity | None = None
    """US dollars an hour of one machine."""
    utilisation: Quantity | None = None
    """Share of that throughput that is planned for in the busiest hour."""
    endpoint_price: Quantity | None = None
    """US dollars an hour of one hosted endpoint."""
    hosted_cost: Quantity | None = None
    """US dollars a request to a hosted fine-tuned model that is paid by the token."""
    engineering_cost: Quantity | None = None
    """US dollars, once."""
    labels_needed: Quantity | None = None
    label_cost: Quantity | None = None
    """US dollars a label."""
    training_cost: Quantity | None = None
    """US dollars a training run."""
    retrain_every_months: Quantity | None = None
    monitoring_cost: Quantity | None = None
    """US dollars a month, with the reviewing of the audit sample."""
