"""What a labelling run did, in numbers. Grain: one per run."""

from collections import Counter
from dataclasses import dataclass, field

from prompts.ask import Reply
from records.types import Outcome

_REASON_LENGTH = 100


@dataclass
class LabelSummary:
    """`known`: answered in an earlier run; `stopped`: why it ended early, else None; `reasons`: of all non-answers."""

    documents: int
    known: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    cost_usd: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    stopped: str | None = None

    def count(self, reply: Reply) -> None:
        """Add one reply."""
        self.outcomes[reply.outcome] += 1
        self.cost_usd += reply.cost_usd
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens
        if reply.error:
            self.reasons[f"{reply.outcome}: {reply.error[:_REASON_LENGTH]}"] += 1
        if reply.outcome is not Outcome.failed:
            self.latencies_s.append(reply.latency_s)

    @property
    def asked(self) -> int:
        """Documents that were asked about in this run."""
        return self.outcomes.total()

    @property
    def answered(self) -> int:
        """Documents that were answered in this run."""
        return self.outcomes[Outcome.answered]

    @property
    def unreadable(self) -> int:
        """Answers of this run that could not be read."""
        return self.outcomes[Outcome.unreadable]

    @property
    def refused(self) -> int:
        """Documents that the model or its provider declined in this run."""
        return self.outcomes[Outcome.refused]

    @property
    def failed(self) -> int:
        """Documents of this run without any answer; the next run asks again."""
        return self.outcomes[Outcome.failed]

    @property
    def left(self) -> int:
        """Documents that the next run will ask about."""
        return self.documents - self.known - self.asked + self.failed

    @property
    def note(self) -> str:
        """A few words for a progress bar."""
        parts = [f"{n} {outcome}" for outcome, n in self.outcomes.items() if outcome is not Outcome.answered]
        return ", ".join([*parts, f"${self.cost_usd:.4f}"])

    def latency_ms(self, share: float) -> float:
        """The latency that `share` (0..1) of the answers stayed within, in milliseconds; 0 without answers."""
        if not self.latencies_s:
            return 0.0
        ordered = sorted(self.latencies_s)
        return 1_000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]
