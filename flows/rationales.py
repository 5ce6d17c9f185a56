"""Why the teacher answers so, for the records of a round that show its suggestion: the step within `label` that asks.

No round waits for a reason that does not come, and none fails for it: a record then goes to the desk without, and the
result says how many and why. What was paid for is in the store, so a run that is cut off asks for nothing twice.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from evaluation import wording
from flows.context import Context
from flows.teacher import teacher_of
from prompts.explaining import Explained, explain_many
from prompts.rationale import key_of
from prompts.supply import Terms
from prompts.task import Task
from records import rationales
from records.claims import Bounds
from records.errors import InputError, ServiceError
from records.types import DeskRecord, Document, Label

_SHOWN = 3
_SENTENCE = 200


class Reasons(BaseModel):
    """The teacher's reasons for a round. `shown`: records that have one; `asked`: how many were asked for now, for
    `cost_usd`; `why`: how many suggestions go without, by cause.
    """

    shown: int = 0
    asked: int = 0
    cost_usd: float = 0.0
    why: dict[str, int] = {}

    @property
    def line(self) -> str:
        """For people."""
        causes = [f"{n} because: {cause[:_SENTENCE]}" for cause, n in self.why.items()]
        shown = "; ".join([*causes[:_SHOWN], *(["..."] if len(causes) > _SHOWN else [])])
        without = f", {sum(self.why.values())} suggestions go without ({shown})" if causes else ""
        if not self.shown and not causes:
            return "none was asked for, as nothing was sent with a suggestion of the teacher's"
        count = wording.count(self.shown, "suggestion")
        verb = "has" if self.shown == 1 else "have"
        return f"{count} {verb} the teacher's; {self.asked:,} asked for now, for ${self.cost_usd:.4f}{without}"


def reasons_for(
    context: Context,
    task: Task,
    records: Sequence[DeskRecord],
    labels: Mapping[str, Label],
    documents: Mapping[str, Document],
    budget_usd: float | None = None,
    barred: str = "",
) -> tuple[dict[str, str], Reasons]:
    """The reasons by document, and the sums. Asks for what is not known yet, in the order of the records.

    `budget_usd`: for this, beside the task's own; None: no other. `barred`: why nothing is to be asked for.
    """
    found = [(documents[r.document_id], labels[r.document_id]) for r in records if _is_shown(task, r, labels)]
    done, fault = Explained(), barred
    try:
        done = done if barred else _ask(context, task, found, budget_usd)
    except (InputError, ServiceError) as error:
        fault = str(error)
    kept = rationales.get(context.store, [key_of(label) for _, label in found])
    said = {document.id: kept[key_of(label)] for document, label in found if key_of(label) in kept}
    texts = {i: one.text for i, one in said.items() if one.text}
    why = done.why + Counter(one.error or "" for one in said.values() if not one.text)
    why[fault or done.stopped or "not asked"] += len(found) - len(texts) - why.total()
    sums = {cause: n for cause, n in why.most_common() if n > 0}
    return texts, Reasons(shown=len(texts), asked=done.asked, cost_usd=done.cost_usd, why=sums)


def _ask(context: Context, task: Task, found: list[tuple[Document, Label]], budget_usd: float | None) -> Explained:
    terms = Terms(Bounds(run_usd=budget_usd))
    return asyncio.run(explain_many(context.store, task, teacher_of(context, task), found, context.progress, terms))


def _is_shown(task: Task, record: DeskRecord, labels: Mapping[str, Label]) -> bool:
    """Whether a record shows what the teacher itself said; none that goes blind does, nor one with a log's answer."""
    label = labels.get(record.document_id)
    if record.blind or record.suggestion is None or label is None:
        return False
    return label.value is not None and label.model == task.teacher.model
