"""How good the labels are that nobody checks, from the random checks that people answered. Asks and changes nothing.

`label` sends random checks (`review.audit_share`), `collect` brings the answers home; here they are counted, the stop
rule is said, and the threshold from which on labels can be accepted is derived from what may be wrong.

Run as:  retort audit --task legal_intake [--wanted 0.03]
"""

import itertools
from bisect import bisect_left
from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from evaluation import wording
from evaluation.audit import Accepted, Audit, OfLabel, audit, row
from evaluation.risk import Threshold, accept_from
from evaluation.score import same
from flows.calibrating import on_test, reading, rules_of
from flows.context import Context, find_task
from flows.desk import labels_of
from prompts.task import Task
from records import corrections, desk_log, library
from records.errors import InputError
from records.types import Answer, Label, Split
from review.reasons import accepted as is_accepted
from review.worth import draw_of

_PAGE = 500
_LABELS_SHOWN = 20


class LabelAudit(BaseModel):
    """The audit of one task's accepted labels, and the threshold that would keep what is wanted (None: none does)."""

    task: str
    trust_above: float
    audit: Audit
    threshold: Threshold | None
    confidence: str

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        found = self.audit
        lines = [f"**{self.task}: {found.sentence}**", ""]
        if found.drawn:
            lines += [
                f"- random checks: {found.drawn:,} answered, {found.wrong:,} of these labels wrong: "
                f"{wording.share(found.error)} of those accepted, before any correction",
                f"- corrected since: {found.corrected:,}; the bound holds however often one looks",
            ]
        else:
            lines.append("- random checks: none answered yet; `label` sends them, `collect` brings the answers home")
        if found.blocked:
            lines.append(f"- {found.blocked:,} more answers count once the random checks before them are answered")
        lines += [f"- {self._threshold}", f"- {self.confidence}", *self._table()]
        return "\n".join(lines)

    @property
    def _threshold(self) -> str:
        wanted, now = wording.percent(self.audit.wanted), f"review.trust_above is {self.trust_above:g} now"
        if self.threshold is None:
            return f"review.trust_above: no confidence is shown to keep wrong labels to {wanted}; {now}"
        one = self.threshold
        return (
            f"review.trust_above: {one.value:g} keeps wrong labels to {wanted} with {100 * one.confidence:g} % "
            f"confidence, and accepts {100 * one.share:.0f} % of the labels ({one.looked_at:,} such were looked at, "
            f"{wording.share(one.wrong)} wrong); {now}"
        )

    def _table(self) -> list[str]:
        shown = sorted(self.audit.labels, key=_worst_first)[:_LABELS_SHOWN]
        if not shown:
            return []
        rows = [f"| {one.label} | {one.total:,} | {one.drawn} | {one.wrong} | {_said(one)} |" for one in shown]
        left = len(self.audit.labels) - len(shown)
        more = ["", f"{wording.count(left, 'more label')}: see --json."] if left else []
        return ["", "| label | accepted | checked | wrong | share wrong |", "|---|---|---|---|---|", *rows, *more]


def audit_labels(context: Context, task: str, wanted: float = 0.0) -> LabelAudit:
    """The step. `wanted`: the share of accepted labels that may be wrong; 0: as in task.yaml (1 - `wanted_precision`).

    Raises InputError for a share that is none.
    """
    if not 0 <= wanted < 1:
        raise InputError(f"{wanted} is no share of labels that may be wrong: give one between 0 and 1, such as 0.03.")
    found = find_task(context, task)
    labels = list(accepted_labels(context, found))
    allowed = wanted or round(1 - found.review.wanted_precision, 9)
    read, drawn = reading(context, found), [(one.confidence, bool(one.right)) for one in row(labels)]
    everywhere = [(read.of(stated), right) for stated, right in on_test(context, found)]
    return LabelAudit(
        task=found.name,
        trust_above=found.review.trust_above,
        audit=audit(labels, allowed),
        threshold=accept_from(everywhere, drawn, found.review.trust_above, allowed),
        confidence=read.sentence,
    )


def in_a_sentence(context: Context, task: Task) -> str:
    """The stop rule for a task, as its other steps tell it."""
    return audit(list(accepted_labels(context, task)), round(1 - task.review.wanted_precision, 9)).sentence


def accepted_labels(context: Context, task: Task) -> Iterator[Accepted]:
    """Every label that is sure enough to be trained on unseen, whether or not a person has seen it by now."""
    rounds = desk_log.began(context.store, task.name)
    judged, rules = _judged(context, task), rules_of(context, task)
    stream = (d for d in library.Stream(context.store, task.name) if d.split in (Split.train, Split.validation))
    while page := [d.id for d in itertools.islice(stream, _PAGE)]:
        for i, label in labels_of(context, task, page).items():
            if is_accepted(label, rules):
                sure = rules.sure(label) or 0.0
                yield _accepted(label, sure, bisect_left(rounds, label.created_at), i in judged, judged.get(i))


def _accepted(label: Label, sure: float, round: int, judged: bool, answer: Answer | None) -> Accepted:
    right = same(label.value, answer) if answer is not None else False
    return Accepted(
        document_id=label.document_id,
        label=label.value if isinstance(label.value, str) else "",
        draw=draw_of(label.document_id, "audit"),
        round=round,
        confidence=sure,
        right=right if judged else None,
    )


def _judged(context: Context, task: Task) -> Mapping[str, Answer | None]:
    """What people said of each document they looked at; None where they could not say, or do not agree."""
    looked_at: dict[str, Answer | None] = {c.document_id: None for c in corrections.all(context.store, task.name)}
    return looked_at | corrections.settled(context.store, task.name).gold


def _worst_first(one: OfLabel) -> tuple[float, int, str]:
    return -(one.share.value or 0.0), -one.total, one.label


def _said(one: OfLabel) -> str:
    return wording.share(one.share)
