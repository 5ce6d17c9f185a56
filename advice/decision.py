"""What is decided of a task, and on what: six steps, what overrules them, a recommendation, and what would change it.

Grain of `Advice`: one per task and moment. One real row of its steps:

    Step(number=3, name="volume", value=Quantity(value=30000.0, low=27600.0, high=32400.0, ...),
         beside=None, threshold="under 1,000 a month: prompt; under 1,000 a day: usually bearable", leaning="either",
         sure=False, reason="30,000 requests a month: prompting is usually bearable, so the economics decide.")

The economics come in as a `Payoff`, cut out of `advice.figures`: the decision compares it, and computes no money.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from advice.situation import Quantity, Situation
from records.types import Record, now


class Thresholds(Record):
    """Where each step turns. All of them can be changed; the defaults are those of common advice."""

    few_pairs: float = Field(default=20, gt=0, description="fewer example pairs say the task in a prompt")
    often_changed: float = Field(default=3, gt=0, description="so many changes in 90 days, or more, are often")
    low_volume: float = Field(default=1_000, gt=0, description="requests a month below which prompting is right")
    bearable_daily: float = Field(default=1_000, gt=0, description="requests a day below which it is usually bearable")
    tight_latency_s: float = Field(default=0.2, gt=0, description="a tighter budget needs a small model of one's own")
    enough_labels: float = Field(default=500, gt=0, description="labelled examples that suffice")
    good_teacher: float = Field(default=0.95, gt=0, le=1, description="accuracy above which little is to be gained")
    poor_teacher: float = Field(default=0.85, ge=0, lt=1, description="accuracy below which fine-tuning likely helps")
    horizon_months: Literal[12, 24, 36, 60] = Field(default=24, description="within which a student must pay back")
    wanted_days: float = Field(default=60, gt=0, description="days of production to measure before one decides")


class Payoff(Record):
    """When the best student pays back. Months None: not within the five years looked at. `chance`: within the horizon,
    which is the pilot's end where there is one.
    """

    months: float | None
    low: float | None = None
    high: float | None = None
    chance: float = Field(ge=0, le=1)
    horizon_months: float = Field(gt=0)


class Leaning(StrEnum):
    """What one step says. `either`: it does not decide. `unknown`: its number is not known."""

    prompt = "prompt"
    fine_tune = "fine-tune"
    either = "either"
    unknown = "unknown"


class Step(Record):
    """One of the six. `beside`: a second number to compare with; `sure`: the whole range lies on one side."""

    number: int
    name: str
    value: Quantity | None
    beside: Quantity | None = None
    threshold: str
    leaning: Leaning = Leaning.unknown
    sure: bool = False
    reason: str = ""


class Overrule(Record):
    """A fact that may settle the question whatever the steps say. `decides`: it is the one that did.

    `field`: how `Situation` calls it.
    """

    field: str
    name: str
    holds: bool
    reason: str
    decides: bool = False


class Recommendation(StrEnum):
    """What to do next."""

    keep_prompting = "keep prompting and collect"
    distil = "distil"
    fine_tune = "fine-tune on what is there"
    rag = "RAG"
    measure = "measure more days"


class Flip(Record):
    """What would change the answer: this number at this value (`above` it or below), others as they are."""

    quantity: str
    name: str
    now: float
    at: float
    above: bool
    unit: str
    to: Recommendation
    sentence: str


class Terms(Record):
    """What one provider's terms say on training with its answers. Check it; it is no legal advice.

    `as_of`: the date of the text it was taken from; None: not read, only the place is known.
    """

    provider: str = Field(min_length=1)
    models: list[str] = Field(min_length=1)
    says: str = Field(min_length=1)
    url: str = Field(pattern=r"^https://\S+$")
    as_of: date | None = None


class Advice(Record):
    """The whole answer. `decided_by`: the names of the steps, overrules or `economics` that settled it."""

    task: str
    recommendation: Recommendation
    sentence: str
    decided_by: list[str]
    steps: list[Step]
    overrules: list[Overrule]
    payoff: Payoff | None = None
    flips: list[Flip] = Field(default_factory=list)
    missing: list[str] = Field(default_factory=list)
    """What nobody knows yet, the most telling first: the next things to measure, each a sentence."""
    terms: list[Terms] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    measure_days: int | None = None
    thresholds: Thresholds = Field(default=Thresholds())
    situation: Situation
    made_at: datetime = Field(default_factory=now)
