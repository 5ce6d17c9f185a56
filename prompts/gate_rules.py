"""The part of `task.yaml` on the gate: when a student may go live, and what is measured for it. Strict."""

from typing import Annotated, Literal

from pydantic import Field

from prompts.document_rules import Section, Share


class Compare(Section):
    """How a field of an object is compared with people's (`evaluation.fields`).

    `tolerance` in the field's own unit and `relative` as a share of gold, for numbers; `days` for dates.
    """

    how: Literal["exact", "normalised", "number", "date", "set"]
    tolerance: float = Field(default=0.0, ge=0)
    relative: float = Field(default=0.0, ge=0)
    days: int = Field(default=0, ge=0)


class LoadTest(Section):
    """How the endpoint that would serve is measured, warm. Each level takes until `seconds` or `answers` are reached.

    `in_flight`: requests at the same time, one level each; empty: not measured, and the latencies of the trial count.
    `hosted`: measure also an endpoint that bills by the token, which is paid for; else only own ones are.
    """

    in_flight: list[Annotated[int, Field(ge=1, le=1_024)]] = Field(default=[1, 4, 8], max_length=8)
    seconds: float = Field(default=12.0, gt=0, le=600)
    answers: int = Field(default=150, ge=1, le=100_000)
    hosted: bool = False


class Gate(Section):
    """When a student may go live: not worse than the teacher by more than `margin`, fast, cheap, readable.

    `label_margin`: how much recall any one label may lose before the student is rejected (Holm over the labels); null:
    not judged. `fields`: how fields of an object are compared, where not as their schema says. `monthly_requests`: the
    expected volume, by which an idle machine's price is shared out; by default what recorded traffic says.
    `embeddings`: a folder with a model2vec or sentence-transformers model, for one more baseline.
    """

    margin: float = Field(default=0.02, ge=0, lt=1)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    label_margin: float | None = Field(default=0.1, ge=0, lt=1)
    p95_latency_ms: float = Field(default=1_000.0, gt=0)
    max_cost_ratio: float = Field(default=1.0, gt=0)
    max_unreadable_rate: Share = 0.02
    min_test_documents: int = Field(default=100, ge=1)
    fields: dict[str, Compare] = Field(default={}, max_length=200)
    monthly_requests: float | None = Field(default=None, gt=0)
    embeddings: str | None = Field(default=None, min_length=1, max_length=1_000)
    load: LoadTest = LoadTest()
