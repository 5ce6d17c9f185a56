"""What production logs say of each task: volume with its trend and pattern, tokens, cost, latency, errors, repeats.

Grain of `Measured`: one per task and reading. One real row, shortened:

    Measured(task="legal_intake", requests=61_204, days_covered=61.0, daily=Range(value=1003.3, low=960.1, high=1046.5),
             growth=Range(value=0.021, ...), weekdays=[1180, ...], latency_p95_s=Range(value=3.1, ...), ...)

Times are UTC. `Range`: 90 %. What the log does not say is None.
"""

from datetime import date

from pydantic import Field

from records.types import Record

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WANTED_DAYS = 60.0


class Range(Record):
    """A figure and the range in which it lies with 90 %; `n`: how many values it is of. None: too few for a range."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int = 0


class Measured(Record):
    """One task. Tokens, cost and latency are a request's; a month has 30.44 days."""

    task: str
    requests: int
    first_day: date
    last_day: date
    days_covered: float
    daily: Range
    monthly: Range
    growth: Range | None = None
    """Growth of the requests a month, as a share; from five whole weeks on."""
    weekdays: list[float] = Field(default_factory=list)
    """Mean requests of a Monday, ... a Sunday; empty below two weeks."""
    peak_to_mean: float | None = None
    """Requests of the busiest hour over those of the mean one; from a week on."""
    prompt_tokens: Range | None = None
    completion_tokens: Range | None = None
    cost_usd: Range | None = None
    latency_p50_s: Range | None = None
    latency_p95_s: Range | None = None
    latency_p99_s: Range | None = None
    failed: int = 0
    repeated: Range | None = None
    """Share of the requests whose input came before: what a cache that forgets nothing would save."""
    inputs_known: int = 0
    models: dict[str, int] = Field(default_factory=dict)
    """The commonest models, with their requests."""
    sampled: float = 1.0
    """The share of requests that the log holds; counts are scaled by it."""


class BadLine(Record):
    """A line that could not be read: where it stands and why, never what it holds."""

    place: str
    reason: str


class Report(Record):
    """One reading of logs. `left_out`: lines that are no request by their kind."""

    source: str
    lines: int
    tasks: list[Measured]
    bad: int = 0
    reasons: dict[str, int] = Field(default_factory=dict)
    examples: list[BadLine] = Field(default_factory=list)
    left_out: dict[str, int] = Field(default_factory=dict)
    others: int = 0
    """Requests of further tasks, beyond those that are told apart."""
