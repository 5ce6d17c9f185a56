"""How good the labels are that nobody checks, from the random checks that people answered. Asks and changes nothing.

`label` sends random checks (`review.audit_share`), `collect` brings the answers home; here they are counted, the stop
rule is said, and the threshold from which on labels can be accepted is derived from what may be wrong. An object is
right where the gate would call it so, and so is each of its fields.

Run as:  retort audit --task legal_intake [--wanted 0.03]
"""

import itertools
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel

from evaluation import wording
from evaluation.audit import Accepted, Audit, audit, row
from evaluation.fields import Comparison
from evaluation.risk import Threshold, accept_from
from evaluation.score import score
from flows.calibrating import on_test, reading, rules_of
from flows.comparing import compared
from flows.context import Context, find_task
from flows.desk import labels_of
from prompts.task import Task
from records import corrections, desk_log, library
from records.errors import InputError
from records.types import Answer, Label, Split
from review.reasons import accepted as is_accepted
from review.worth import draw_of

_PAGE = 500
_SHOWN = 20


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
        head, rows = table(self.audit)
        if not rows:
            return []
        lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows[:_SHOWN])]
        left = len(rows) - _SHOWN
        return ["", *lines, *(["", f"{wording.count(left, f'more {head[0]}')}: see --json."] if left > 0 else [])]


def table(found: Audit) -> tuple[list[str], list[list[str]]]:
    """Where the wrong labels are, the worst first: head and rows, by label or, of objects, by field."""
    name, parts = ("field", found.fields) if found.fields else ("label", found.labels)
    rows = [[one.name, f"{one.total:,}", f"{one.drawn:,}", f"{one.wrong:,}", wording.share(one.share)] for one in parts]
    return [name, "accepted", "checked", "wrong", "share wrong"], rows


def audit_labels(context: Context, task: str, wanted: float = 0.0) -> LabelAudit:
    """The step. `wanted`: the share of accepted labels that may be wrong; 0: as in task.yaml (1 - `wanted_precision`).

    Raises InputError for a share that is none.
    """
    if not 0 <= wanted < 1:
        raise InputError(f"{wanted} is no share of labels that may be wrong: give one between 0 and 1, such as 0.03.")
    found = find_task(context, task)
    labels = list(accepted_labels(context, found))
    allowed = wanted or _allowed(found)
    read, drawn = reading(context, found), [(one.confidence, bool(one.right)) for one in row(labels)]
    everywhere = [(read.of(stated), right) for stated, right in on_test(context, found)]
    return LabelAudit(
        task=found.name,
        trust_above=found.review.trust_above,
        audit=audit(labels, allowed),
        threshold=accept_from(everywhere, drawn, found.review.trust_above, allowed),
        confidence=read.sentence,
    )


def audit_of(context: Context, task: Task) -> Audit:
    """The audit by the task's own stop rule, as its other steps tell it."""
    return audit(list(accepted_labels(context, task)), _allowed(task))


def _allowed(task: Task) -> float:
    """The share of accepted labels that may be wrong."""
    return round(1 - task.review.wanted_precision, 9)


def accepted_labels(context: Context, task: Task) -> Iterator[Accepted]:
    """Every label that is sure enough to be trained on unseen, whether or not a person has seen it by now."""
    rounds = desk_log.began(context.store, task.name)
    judged, fields, rules = _judged(context, task), compared(task), rules_of(context, task)
    stream = (d for d in library.Stream(context.store, task.name) if d.split in (Split.train, Split.validation))
    while page := [d.id for d in itertools.islice(stream, _PAGE)]:
        for i, label in labels_of(context, task, page).items():
            if is_accepted(label, rules):
                sure, came = rules.sure(label) or 0.0, bisect_left(rounds, label.created_at)
                yield _accepted(label, sure, came, judged.get(i), fields)


def _accepted(
    label: Label, sure: float, round: int, said: Sequence[Answer] | None, fields: Mapping[str, Comparison]
) -> Accepted:
    """`said`: people's answers, by all of which it must be right; None: nobody looked yet; empty: nobody could say.

    Each field of the schema counts, also one that the object lacks: left out by both it is right, by one it is wrong.
    """
    scored = [score(label.document_id, label.outcome, label.value, answer, fields) for answer in said or ()]

    def judged(right: Sequence[bool]) -> bool | None:
        return None if said is None else bool(right) and all(right)

    return Accepted(
        document_id=label.document_id,
        label=label.value if isinstance(label.value, str) else "",
        draw=draw_of(label.document_id, "audit"),
        round=round,
        confidence=sure,
        right=judged([one.right for one in scored]),
        fields={name: judged([one.fields.get(name, True) for one in scored]) for name in fields},
    )


def _judged(context: Context, task: Task) -> Mapping[str, Sequence[Answer]]:
    """What people said of each document they looked at: one answer where it is settled, several where they do not
    agree, none where they could not say. What waits for further answers is not looked at yet.
    """
    settled = corrections.settled(context.store, task.name)
    seen = {c.document_id for c in corrections.all(context.store, task.name)}.difference(settled.waiting)
    found: dict[str, list[Answer]] = {i: [] for i in seen}
    found |= {i: [row.value for row in rows if row.value is not None] for i, rows in settled.disputed.items()}
    return found | {i: [answer] for i, answer in settled.gold.items()}
