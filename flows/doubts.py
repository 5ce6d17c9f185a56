"""People's own answers that look wrong, for a second look: listed, and sent to the lead's queue if wanted.

Two kinds: what a simple model trained on the other answers doubts (`evaluation.label_noise`), and what a second reading
contradicts. Nothing changes by being doubted: an answer stays gold until a lead decides.

Run as:  retort second-look --task legal_intake --send 20
"""

from collections import defaultdict

from pydantic import BaseModel

from evaluation.agreement import key
from evaluation.label_noise import Doubt, label_noise
from flows.context import Context, find_task
from flows.second_looks import send_cases
from prompts.task import Task
from records import corrections, library, second_looks
from records.second_looks import Queue
from records.types import Answer
from review import adjudication

_SHOWN, _CHARACTERS = 20, 90


class Suspect(BaseModel):
    """One answer that is doubted. `by`: a simple model, or second readings; `said`: what it says instead."""

    document_id: str
    answer: Answer
    said: str
    by: str
    excerpt: str


class Suspects(BaseModel):
    """All of a task, the most striking first. `why_not`: why the model doubted none."""

    task: str
    judged: int
    left_out: int
    why_not: str = ""
    suspects: list[Suspect]
    sent: int = 0

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        lines = [f"**{self.task}: {len(self.suspects)} settled answers look wrong** ({self.judged} were judged)"]
        lines += [f"- the model judged none: {self.why_not}"] if self.why_not else []
        lines += [f"- {self.left_out} have labels too rare to judge"] if self.left_out and not self.why_not else []
        for one in self.suspects[:_SHOWN]:
            lines += [f"- {one.document_id}: people say {key(one.answer)}, {one.by} says {one.said}: {one.excerpt}"]
        hidden = len(self.suspects) - _SHOWN
        lines += [f"- and {hidden} more (`--json` lists all)"] if hidden > 0 else []
        if self.sent:
            lines += [f"- {self.sent} sent to the lead's queue"]
        elif self.suspects:
            lines += ["- `--send 20` sends the first 20 to the lead's queue"]
        return "\n".join(lines)


def doubt_answers(context: Context, task: str, send: int = 0) -> Suspects:
    """The step. `send`: how many of those that no lead has seen go to the lead's queue, at most."""
    found = find_task(context, task)
    gold = corrections.settled(context.store, found.name).gold
    known = library.get(context.store, found.name, gold)
    decided = second_looks.decisions(context.store, found.name)
    context.progress("reading answers", 0, 1, f"{len(gold)} settled")
    noise = label_noise({i: d.text for i, d in known.items()}, gold, {i: d.cluster for i, d in known.items()})
    context.progress("reading answers", 1, 1, "")
    by_model = {doubt.document_id: _by_model(doubt) for doubt in noise.doubts}
    reasons = {i: why for i, why in {**by_model, **_by_readings(context, found, gold)}.items() if i not in decided}
    suspects = [
        Suspect(document_id=i, answer=gold[i], by=by, said=said, excerpt=_excerpt(known[i].text))
        for i, (by, said) in reasons.items()
        if i in known
    ]
    sent = _send(context, found, [one.document_id for one in suspects], send) if send else 0
    return Suspects(
        task=found.name,
        judged=noise.judged,
        left_out=noise.left_out,
        why_not=noise.why_not,
        suspects=suspects,
        sent=sent,
    )


def _by_model(doubt: Doubt) -> tuple[str, str]:
    return "a simple model", doubt.likelier


def _by_readings(context: Context, task: Task, gold: dict[str, Answer]) -> dict[str, tuple[str, str]]:
    """What second readings say of documents, where they contradict what is settled."""
    newest = {(r.reviewer, r.document_id): r for r in second_looks.answers(context.store, task.name, Queue.reading)}
    found: dict[str, set[str]] = defaultdict(set)
    for (_, i), answer in newest.items():
        if answer.value is not None and i in gold and key(answer.value) != key(gold[i]):
            found[i].add(key(answer.value))
    return {i: ("a second reading", " or ".join(sorted(said))) for i, said in sorted(found.items())}


def _send(context: Context, task: Task, ids: list[str], most: int) -> int:
    known = second_looks.sent(context.store, task.name, Queue.adjudication)
    rows = corrections.all(context.store, task.name)
    chosen = [i for i in ids if i not in known][:most]
    cases = {i: adjudication.doubted(i, [r for r in rows if r.document_id == i]) for i in chosen}
    return send_cases(context, task, cases)


def _excerpt(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _CHARACTERS else plain[:_CHARACTERS].rsplit(" ", 1)[0] + " …"
