"""What a labelling run did, in numbers. Grain: one per run and process; those of one run can be added up."""

import time
from collections import Counter
from dataclasses import dataclass, field

from prompts.reply import Reply
from records.types import Outcome

_EXAMPLE_LENGTH = 100
INTERRUPTED = "interrupted"
"""Why a run ended early that a person stopped."""


@dataclass
class LabelSummary:
    """`seen`: documents that were looked at; `known`: answered in an earlier run; `elsewhere`: asked about by another
    process; `bound`: the limit that ended it; `reasons`: of all non-answers, `examples` one sentence of each.
    """

    seen: int = 0
    known: int = 0
    elsewhere: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    cost_usd: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    bound: str | None = None
    interrupted: bool = False
    began: float = field(default_factory=time.monotonic)

    def count(self, reply: Reply) -> None:
        """Add one reply."""
        self.outcomes[reply.outcome] += 1
        self.pay(reply.prompt_tokens, reply.completion_tokens, reply.cost_usd)
        if reply.error:
            why = f"{reply.outcome}: {reply.reason or 'unknown'}"
            self.reasons[why] += 1
            self.examples.setdefault(why, reply.error[:_EXAMPLE_LENGTH])
        if reply.outcome is not Outcome.failed:
            self.latencies_s.append(reply.latency_s)

    def pay(self, prompt_tokens: int, completion_tokens: int, cost_usd: float) -> None:
        """Add what was paid for."""
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens
        self.cost_usd += cost_usd

    def add(self, other: "LabelSummary") -> None:
        """Add what another process of the same run did; both looked at the same documents."""
        self.outcomes += other.outcomes
        self.reasons += other.reasons
        self.examples = {**other.examples, **self.examples}
        self.pay(other.prompt_tokens, other.completion_tokens, other.cost_usd)
        self.latencies_s += other.latencies_s
        self.bound = self.bound or other.bound
        self.interrupted = self.interrupted or other.interrupted
        self.seen = max(self.seen, other.seen)

    @property
    def documents(self) -> int:
        """Documents that the run was about."""
        return self.seen

    @property
    def stopped(self) -> str | None:
        """Why it ended before all documents were asked about, else None. A limit of documents is no early end."""
        if self.interrupted:
            return INTERRUPTED
        return self.bound if self.bound and not self.bound.startswith("limit") else None

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
        return self.seen - self.known - self.elsewhere - self.asked + self.failed

    @property
    def note(self) -> str:
        """A few words for a progress bar: what went wrong, how fast, what it cost."""
        parts = [f"{n} {outcome}" for outcome, n in self.outcomes.items() if outcome is not Outcome.answered]
        speed = self.asked / max(1e-3, time.monotonic() - self.began)
        return ", ".join([*parts, f"{speed:.1f}/s", f"${self.cost_usd:.4f}"])

    def latency_ms(self, share: float) -> float | None:
        """The latency that `share` (0..1) of the answers stayed within, in milliseconds; None without answers."""
        if not self.latencies_s:
            return None
        ordered = sorted(self.latencies_s)
        return 1_000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]
