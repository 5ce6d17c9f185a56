"""The part of `task.yaml` on the gate: when a student may go live. Strict, as `prompts.definition`."""

from pydantic import Field

from prompts.document_rules import Section, Share


class Gate(Section):
    """When a student may go live: not worse than the teacher by more than `margin`, fast, cheap, readable."""

    margin: float = Field(default=0.02, ge=0, lt=1)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    p95_latency_ms: float = Field(default=1_000.0, gt=0)
    max_cost_ratio: float = Field(default=1.0, gt=0)
    max_unreadable_rate: Share = 0.02
    min_test_documents: int = Field(default=100, ge=1)
