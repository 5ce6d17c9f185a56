"""What a task is: the shape of `task.yaml`, section by section. Strict: unknown keys and wrong types are refused.

A task says what is asked of a document (instructions, the answer's kind), of whom (teacher, student), who checks it
(review), and when a student is good enough (gate). Read with `prompts.task.load_task`, never built by hand.
One real label, as written in `task.yaml`:

    - {name: lease, answer: rent, description: "premises: offices, shops; rent, landlord, subletting"}

Units: money in US dollars, durations in seconds unless the name says otherwise, shares in 0..1.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from prompts.document_rules import DocumentRules, Logs, Price, Redact, Retrieval, Section, Share
from prompts.gate_rules import Gate
from prompts.label_changes import became
from prompts.review_rules import Review
from prompts.training_rules import Training
from records.types import Answer

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\- ]{0,63}$")]
TaskName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Text = Annotated[str, Field(min_length=1, max_length=20_000)]


class LabelSpec(Section):
    """One label of a choice: its `name` in the store and on the desk, and what the model says for it.

    `was`: what it was called before, also as a part or the whole of it (`prompts.label_changes`).
    """

    name: Name
    description: str = Field(default="", max_length=2_000)
    answer: str | None = Field(default=None, min_length=1, max_length=64)
    was: list[Name] = Field(default=[], max_length=50)

    @property
    def said(self) -> str:
        """What the model says for this label: `answer`, by default the name."""
        return self.answer or self.name


class ChoiceAnswer(Section):
    """Exactly one of the labels."""

    kind: Literal["choice"]
    labels: list[LabelSpec] = Field(min_length=2, max_length=200)


class JsonAnswer(Section):
    """An object that fits a JSON Schema (draft 2020-12)."""

    kind: Literal["json"]
    schema_: dict[str, Any] = Field(alias="schema")


class Example(Section):
    """A few-shot example, shown to the teacher only. `answer`: a label's name, or an object."""

    document: Text
    answer: Answer


class Teacher(Section):
    """The large prompted model. `model` is a LiteLLM string; `api_base: local` is Retort's own model server.

    `mode`: `score` reads the labels' log-probabilities from one call, `generate` reads the text, `auto` scores where
    the endpoint can. `calibrate` subtracts the scores of documents without content. `list_labels` opens the
    teaching turns with the labels and their descriptions. Prices are US dollars per million tokens.
    `requests_per_minute` and `tokens_per_minute` (in and out, estimated) keep below a provider's limits.
    `batch_price_ratio` is the price of the provider's batch API as a share of the live one.
    `budget_usd` is a hard stop over all that the task has ever spent. The key is named, never written here.
    `samples`: how often an answer that is generated is asked for, at `sample_temperature`; the share that agrees is its
    confidence (`prompts.consistency`), and each sample is paid for, also where the gateway falls back to the teacher.
    `repair`: send an answer that cannot be read back to the model, once (`prompts.repair`); not with several samples.
    `rationale`: ask it in a second call, paid for by itself, why it answers so, where a person is sent its suggestion
    (`prompts.rationale`). The reason stands beside the document on the desk and goes nowhere else.
    """

    model: str = Field(min_length=1, pattern=r"^\S+$")
    api_base: str | None = Field(default=None, pattern=r"^(local|https?://\S+)$")
    api_key_env: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]*$")
    mode: Literal["auto", "score", "generate"] = "auto"
    list_labels: bool = True
    calibrate: bool = False
    top_logprobs: int | None = Field(default=None, ge=1, le=5_000)
    input_price: Price | None = None
    output_price: Price | None = None
    max_in_flight: int = Field(default=8, ge=1, le=1_024)
    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)
    timeout_s: float = Field(default=60.0, gt=0, le=3_600)
    retries: int = Field(default=5, ge=0, le=20)
    max_tokens: int | None = Field(default=None, ge=1, le=100_000)
    budget_usd: Price | None = None
    batch_price_ratio: Share = 0.5
    samples: int = Field(default=1, ge=1, le=50)
    sample_temperature: float = Field(default=0.7, gt=0, le=2)
    repair: bool = True
    rationale: bool = False


class StudentSpec(Section):
    """The small model to be trained: from which base, by which recipe, served where, at what price an hour.

    `base_revision`: the commit (or tag) of a base model on a hub, so that it is the same one in a year.
    """

    base_model: str = "smollm2-135m-instruct"
    base_revision: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][\w./-]{0,127}$")
    recipe: str = "cpu-135m"
    api_base: str = Field(default="local", pattern=r"^(local|https?://\S+)$")
    price_per_hour: Price = 0.0
    timeout_s: float = Field(default=30.0, gt=0, le=3_600)


class Traffic(Section):
    """What the gateway keeps of production requests."""

    record: bool = True
    sample_rate: Share = 1.0


class TaskFile(Section):
    """The whole of `task.yaml`.

    `privacy: self_hosted` refuses every endpoint whose host is neither loopback nor in `allowed_hosts` (names or IP
    addresses, compared exactly): teacher, student, desk, store, hub, trackers. `hosted_teacher` allows any. What goes
    to a teacher elsewhere than that is masked by `redact`, and by Presidio for the entities in `presidio`.
    """

    name: TaskName
    title: str = Field(min_length=1, max_length=200)
    instructions: Text
    answer: ChoiceAnswer | JsonAnswer = Field(discriminator="kind")
    examples: list[Example] = Field(default_factory=list, max_length=500)
    document: DocumentRules = Field(default_factory=DocumentRules)
    teacher: Teacher
    student: StudentSpec = Field(default_factory=StudentSpec)
    review: Review = Field(default_factory=Review)
    training: Training = Field(default_factory=Training)
    gate: Gate = Field(default_factory=Gate)
    traffic: Traffic = Field(default_factory=Traffic)
    privacy: Literal["hosted_teacher", "self_hosted"] = "hosted_teacher"
    allowed_hosts: list[Annotated[str, Field(min_length=1, max_length=253)]] = Field(default=[], max_length=100)
    redact: list[Redact] = Field(default=[], max_length=100)
    presidio: list[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,31}$")]] = Field(default=[], max_length=100)
    retrieval: Retrieval | None = None
    logs: Logs | None = None


class Task(TaskFile):
    """A task: its file, the reviewers' guidelines (Markdown), and the folder they came from."""

    guidelines: str
    folder: Path

    @property
    def definition(self) -> dict[str, Any]:
        """All of it as plain data, less where it lies."""
        return self.model_dump(mode="json", by_alias=True, exclude={"folder"})

    @property
    def fingerprint(self) -> str:
        """16 hex digits of the definition: another version of the task has another."""
        blob = json.dumps(self.definition, ensure_ascii=False, sort_keys=True)
        return hashlib.blake2b(blob.encode(), digest_size=8).hexdigest()

    @property
    def labels(self) -> list[str]:
        """The names of a choice's labels, in order; empty for json."""
        return [label.name for label in self.answer.labels] if isinstance(self.answer, ChoiceAnswer) else []

    @property
    def said(self) -> dict[str, str]:
        """What the model says for each label: {name: answer}; empty for json."""
        return {x.name: x.said for x in self.answer.labels} if isinstance(self.answer, ChoiceAnswer) else {}

    @property
    def became(self) -> dict[str, str | None]:
        """What labels of before are called now, None for one that was split; empty for json."""
        return became((x.name, x.was) for x in self.answer.labels) if isinstance(self.answer, ChoiceAnswer) else {}
