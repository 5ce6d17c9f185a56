"""Runs of asking, and what they cost beside the labels. Grain: one row per run; one per charge."""

from datetime import datetime

from pydantic import Field

from records.types import Record, Role, now


class Run(Record):
    """One asking of many documents, at the prices it began with (US dollars per million tokens). Grain: one per run."""

    id: str
    task: str
    role: Role
    model: str
    prompt: str
    input_price: float
    output_price: float
    budget_usd: float | None = None
    began_at: datetime = Field(default_factory=now)
    ended_at: datetime | None = None
    stopped: str | None = None


class Charge(Record):
    """Tokens paid for beside the labels (calibration, a probe). Grain: one per run and purpose, or call."""

    id: str
    task: str
    run: str
    purpose: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    created_at: datetime = Field(default_factory=now)
