"""The records of the economics: figures with their 90 % intervals, and what they say in a sentence. Grain: one a task.

    Spread(value=1200.0, low=900.0, high=1650.0)
    Payback(months=13.4, low=11.2, high=16.9, chances={12: 0.14, 24: 1.0, 36: 1.0, 60: 1.0}, pilot_chance=0.0)

Money in US dollars; months from the first answer of the student. `value`: at the stated values of all assumptions.
"""

from enum import StrEnum

from pydantic import Field

from advice.assumptions import Assumption
from advice.prices import Listed
from records.types import Record


class Way(StrEnum):
    """A way to have a task's requests answered."""

    prompting = "prompting"
    self_hosted = "self_hosted"
    endpoint = "endpoint"
    tokens = "tokens"


class Spread(Record):
    """A figure and the range in which it lies with 90 %."""

    value: float = Field(allow_inf_nan=False)
    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)


class Curve(Record):
    """A figure month by month, with its range; the first is that of the first month."""

    value: list[float]
    low: list[float]
    high: list[float]


class Payback(Record):
    """Months until the saving has paid what was spent before. None: not within the five years looked at."""

    months: float | None
    low: float | None
    high: float | None
    chances: dict[int, float]
    """The share of draws that have paid back after so many months."""
    pilot_chance: float | None = None
    """The same at the end of the pilot, where there is one."""


class Route(Record):
    """One way to answer. `barred`: why it is ruled out whatever it costs; empty if it is not."""

    way: Way
    title: str
    barred: str = ""
    monthly: Spread
    """US dollars in the first month, with upkeep."""
    running: Spread
    """Of that, for answering alone."""
    once: Spread | None = None
    machines: Spread | None = None
    curve: Curve
    cumulative: Curve
    payback: Payback | None = None
    net: dict[int, Spread] = Field(default_factory=dict)
    """Saved against prompting after so many months, less what it cost before."""
    times_cheaper: Spread | None = None


class Swing(Record):
    """How far one assumption moves the net value after two years, the others at their value."""

    name: str
    title: str
    assumed: bool
    at_low: float
    at_high: float
    at_value: float

    @property
    def width(self) -> float:
        """US dollars between the two ends."""
        return abs(self.at_high - self.at_low)


class Economics(Record):
    """What the ways cost, which student is the best, when it pays, and what that hangs on."""

    task: str
    routes: list[Route]
    best: Way
    assumptions: list[Assumption]
    swings: list[Swing]
    listed: list[Listed]
    """The list prices that were at hand."""
    pilot_months: float | None
    draws: int
    seed: int

    def route(self, way: Way) -> Route:
        """The figures of one way."""
        return next(one for one in self.routes if one.way == way)

    @property
    def student(self) -> Route:
        """The best student."""
        return self.route(self.best)
