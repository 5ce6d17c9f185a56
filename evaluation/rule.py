"""The numbers of the gate, and the names of what it judges: hashes of the rule, of the test set, of the prices.

Rule(margin=0.02, confidence=0.95, label_margin=0.1, p95_latency_ms=1000.0, max_cost_ratio=1.0, ...)
"""

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import Field

from evaluation.fields import Comparison
from records.types import Answer, Decision, Record


class Rule(Record):
    """The numbers of the gate. Its hash is that of the numbers."""

    margin: float = Field(0.02, ge=0, lt=1, description="how much accuracy a student may lose, as a share")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="of the two-sided interval")
    label_margin: float | None = Field(None, ge=0, lt=1, description="what any one label may lose; None: not judged")
    p95_latency_ms: float | None = Field(None, gt=0, description="None: no budget")
    max_cost_ratio: float | None = Field(None, gt=0, description="student's cost / teacher's; None: no limit")
    max_unreadable_rate: float = Field(0.02, ge=0, le=1, description="unreadable, refused or failed answers")
    min_test_documents: int = Field(100, ge=1)
    fields: dict[str, Comparison] = Field(default_factory=dict, description="how fields of an object are compared")


class State(StrEnum):
    """What one axis says."""

    met = "met"
    broken = "broken"
    undecided = "undecided"
    not_applicable = "not applicable"


class Axis(Record):
    """One condition of the rule, in a sentence with its numbers."""

    name: str
    state: State
    sentence: str


class Ruling(Record):
    """The gate's answer. `more_documents`: about how many further test documents would decide it, where that helps."""

    decision: Decision
    reasons: list[str]
    axes: list[Axis]
    more_documents: int | None = None


def rule_hash(rule: Rule) -> str:
    """SHA-256 (hex) of the rule's numbers."""
    return _digest(rule.model_dump())


def gold_hash(gold: Mapping[str, Answer]) -> str:
    """SHA-256 (hex) of the document ids with their gold answers, in the order of ids."""
    rows = json.dumps(sorted(gold.items()), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(rows.encode()).hexdigest()


def prices_hash(prices: Mapping[str, float | None]) -> str:
    """SHA-256 (hex) of the prices by name: the teacher's tokens, the student's machine, the volume they are for."""
    return _digest(dict(prices))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
