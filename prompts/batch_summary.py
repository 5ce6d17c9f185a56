"""What batches did for a task, in numbers. Grain: one per run of `--batch`, over all of the task's batches."""

from dataclasses import dataclass, field

from prompts.reply import Reply
from prompts.summary import LabelSummary


@dataclass
class BatchSummary(LabelSummary):
    """`outcomes`, tokens and dollars are of the replies that were collected now; `seen`, `known` and `elsewhere` (they
    wait in a batch, or another run asks about them) of the documents that were to be handed in.

    `submitted`: handed in now, in `batches` batches; `waiting`: requests that wait at the provider, of all batches;
    `unsure`: of them, those of which it is still to be found out whether they reached it; `reopened`: documents that
    came back without a reply (expired, lost), which the next run hands in again; `refused_batches`: why the provider
    refused a batch as a whole; `left_behind`: files that could not be deleted there.
    """

    submitted: int = 0
    batches: int = 0
    waiting: int = 0
    unsure: int = 0
    reopened: list[str] = field(default_factory=list)
    refused_batches: list[str] = field(default_factory=list)
    left_behind: list[str] = field(default_factory=list)

    def count(self, reply: Reply) -> None:
        """Add one reply. It came by a queue, which is no latency."""
        super().count(reply)
        self.latencies_s.clear()

    @property
    def left(self) -> int:
        """Documents that the next run will hand in."""
        return self.seen - self.known - self.elsewhere - self.submitted
