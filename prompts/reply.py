"""How asking a model about one document ended: what `prompts.ask` gives, and everything around it takes."""

from dataclasses import dataclass, field

from records.types import Answer, Outcome, Reason


@dataclass(frozen=True)
class Reply:
    """How asking ended. `confidence` in 0..1, None where it cannot be had; `scores` raw, before calibration.

    `samples`: every text that was said, where the model was asked more than once. Tokens and cost are of all its calls.
    """

    outcome: Outcome
    value: Answer | None = None
    confidence: float | None = None
    scores: dict[str, float] = field(default_factory=dict)
    raw: str | None = None
    error: str | None = None
    reason: Reason | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    latency_s: float = 0.0
    unreachable: bool = False
    samples: list[str] | None = None
