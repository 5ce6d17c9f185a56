"""The records that flow from room to room. Immutable, typed, one grain each.

One real row, a label by the teacher (grain: one row per answer key):

    Label(key="9f2c...", task="legal_intake", document_id="41d0c7a2b6e95f13", role="teacher",
          model="openai/smollm2-135m-instruct", prompt="a81b...", outcome="answered", value="lease",
          confidence=0.61, scores={"lease": -0.49, ...}, prompt_tokens=812, cost_usd=0.0, latency_s=0.094)

Units: money in US dollars, durations in seconds, times in UTC, shares and confidences in 0..1.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Answer = str | dict[str, Any]
"""What a model or a person says of a document: a label's name (choice) or an object (json)."""


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


class Split(StrEnum):
    """Where a document belongs, for ever (see `records.split`). `withheld`: neither trained on nor tested with."""

    train = "train"
    validation = "validation"
    test = "test"
    withheld = "withheld"


class Role(StrEnum):
    """In which part a model was asked. `shown`: the base model, with the teacher's turns and examples."""

    teacher = "teacher"
    student = "student"
    base = "base"
    shown = "shown"

    @property
    def taught(self) -> bool:
        """Whether it is asked with the teacher's turns."""
        return self in (Role.teacher, Role.shown)


class Outcome(StrEnum):
    """How asking a model ended. Only `answered` carries a value."""

    answered = "answered"
    unreadable = "unreadable"
    refused = "refused"
    failed = "failed"


class Reason(StrEnum):
    """Why there is no answer: the first eight are failures of a call, the next two refusals, the rest unreadable."""

    rate_limited = "rate_limited"
    server_error = "server_error"
    unreachable = "unreachable"
    reset = "reset"
    timeout = "timeout"
    truncated = "truncated"
    not_protocol = "not_protocol"
    bad_request = "bad_request"
    refusal = "refusal"
    content_filter = "content_filter"
    empty = "empty"
    cut = "cut"
    not_a_label = "not_a_label"
    not_json = "not_json"
    not_schema = "not_schema"
    undecided = "undecided"


class Decision(StrEnum):
    """What the gate says."""

    approved = "approved"
    rejected = "rejected"
    inconclusive = "inconclusive"


class Record(BaseModel):
    """Base of all records: immutable, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Document(Record):
    """A text to be answered. Grain: one per task and content."""

    task: str
    id: str
    text: str
    source: str
    external_id: str | None = None
    split: Split
    cluster: str
    metadata: dict[str, str | int | float] = Field(default_factory=dict)
    created_at: datetime = Field(default_factory=now)


class Label(Record):
    """A model's answer to one document. Grain: one per answer key (see `prompts.fingerprint`).

    `run`: which run asked; `reason`: a word for why there is no answer, `error` the sentence;
    `samples`: each text the model gave, where it was asked more than once. Tokens and cost are of all its calls.
    `copied_from`: the near-duplicate document whose answer this is; the model was not asked.
    """

    key: str
    task: str
    document_id: str
    role: Role
    model: str
    prompt: str
    outcome: Outcome
    value: Answer | None = None
    confidence: float | None = None
    scores: dict[str, float] = Field(default_factory=dict)
    raw: str | None = None
    error: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    latency_s: float = 0.0
    created_at: datetime = Field(default_factory=now)
    run: str | None = None
    reason: Reason | None = None
    samples: list[str] | None = None
    copied_from: str | None = None


class DeskRecord(Record):
    """A document that was sent to the review desk. Grain: one per task and document. `worth`: its place in the round's
    queue, from 1 (first) towards 0. `inclusion`: how likely chance drew it from those that could be in that round.
    """

    task: str
    document_id: str
    round: int
    reason: str
    blind: bool
    suggestion: Answer | None = None
    score: float | None = None
    sent_at: datetime = Field(default_factory=now)
    worth: float | None = None
    inclusion: float | None = None


class Correction(Record):
    """What one person said of one document. Grain: one per task, document and reviewer."""

    task: str
    document_id: str
    reviewer: str
    value: Answer | None
    discarded: bool = False
    suggestion: Answer | None = None
    answered_at: datetime


class DatasetVersion(Record):
    """A frozen training set on disk. Grain: one per task and version."""

    task: str
    version: int
    hash: str
    path: str
    rows: dict[str, int]
    manifest: dict[str, Any]
    created_at: datetime = Field(default_factory=now)


class Student(Record):
    """A fine-tuned model that can be served. `hash` is that of the file that is served. Grain: one per hash.
    `model`: the LiteLLM string of one that a provider trained and serves, which has no file; None: from `served_file`.
    """

    hash: str
    task: str
    dataset_version: int
    base_model: str
    recipe: str
    path: str
    served_file: str
    model: str | None = None
    training: dict[str, Any] = Field(default_factory=dict)
    created_at: datetime = Field(default_factory=now)

    @property
    def model_name(self) -> str:
        """The name under which the model server offers it, or the provider's LiteLLM string."""
        return self.model or f"student-{self.hash[:12]}"


class Verdict(Record):
    """What the gate decided of one student on one test set under one rule. Grain: one per decision."""

    id: str
    task: str
    student_hash: str
    test_set_hash: str
    rule_hash: str
    decision: Decision
    reasons: list[str]
    report: dict[str, Any]
    report_path: str | None = None
    created_at: datetime = Field(default_factory=now)
    prices_hash: str = ""


class Release(Record):
    """A student in production. Grain: one per task and number. `replaced`: which was live before; None: the teacher."""

    task: str
    number: int
    student_hash: str
    verdict_id: str
    created_at: datetime = Field(default_factory=now)
    replaced: int | None = None

    @property
    def name(self) -> str:
        """How answers name the release that gave them."""
        return f"{self.task}@{self.number}"


class Request(Record):
    """One production request and its answer. Grain: one per request that was sampled."""

    id: str
    task: str
    text: str
    value: Answer | None
    outcome: Outcome
    confidence: float | None = None
    model: str
    release: int | None
    fallback: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    latency_s: float = 0.0
    created_at: datetime = Field(default_factory=now)
