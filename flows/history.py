"""Everything that is known of one document, as a list of events in the order in which they happened. Changes nothing.

When it came and in which split it is; what each model said, how sure, at what cost, and the reason it gave; why
and when it went to the desk, with which suggestion; what each person answered, edits included, and what a lead decided;
in which dataset versions and students it was; which requests in production sent this very text.

Run as:  retort history 41d0 --task legal_intake        or an id of your own, or a piece of the document's text
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from flows.context import Context, task_name
from records import corrections, history, rationales, registry, second_looks
from records.errors import InputError
from records.rationales import Rationale
from records.second_looks import Queue
from records.store import Store
from records.types import Answer, Correction, DatasetVersion, Document, Label, Outcome, Split
from records.votes import Won

_SHOWN = 300
_LISTED = 10


class Event(BaseModel):
    """One thing that happened. `who`: a person, a model, or a part of Retort; `did`: in words."""

    at: datetime
    kind: Literal[
        "arrived", "model", "rationale", "desk", "suggestion", "person", "lead", "reading",
        "dataset", "student", "request",
    ]  # fmt: skip
    who: str
    did: str
    value: Answer | None = None
    confidence: float | None = None
    cost_usd: float | None = None

    @property
    def line(self) -> str:
        """For people: one line."""
        return f"{self.at:%Y-%m-%d %H:%M:%S}  {self.who:<28}  {_one_line(self.did)}"


class History(BaseModel):
    """One document's. `gold`: what people settled on, None while they have not; `majority`: how many of them, where
    not all said so. Times are UTC.
    """

    task: str
    document: str
    external_id: str | None
    source: str
    split: Split
    cluster: str
    alike: list[str]
    beginning: str
    gold: Answer | None
    majority: Won | None = None
    disputed: bool
    events: list[Event]

    @property
    def text(self) -> str:
        """For people."""
        named = f" ({self.external_id})" if self.external_id else ""
        others = f", with near-duplicates {', '.join(self.alike[:_LISTED])}" if self.alike else ""
        settled = "people disagree" if self.disputed else "nobody has settled it yet"
        settled = f"people settled on {_said(self.gold)}" if self.gold is not None else settled
        settled += f", {self.majority.votes} of {self.majority.answers}" if self.majority else ""
        return "\n".join(
            [
                f"{self.task}, document {self.document}{named}: {settled}",
                f"{self.split} split, cluster {self.cluster}{others}; from {self.source}",
                f"  {self.beginning}",
                "",
                *(event.line for event in self.events),
            ]
        )


def document_history(context: Context, task: str, wanted: str) -> History:
    """The history of the one document that `wanted` names (see `records.history.find`). Raises InputError that lists
    the candidates where there are several, or says that there is none.
    """
    name, store = task_name(context, task), context.store
    document = _one(history.find(store, name, wanted.strip()) if wanted.strip() else [], name, wanted)
    settled = corrections.settled(store, name)
    events = [*_events(store, document)]
    return History(
        task=name,
        document=document.id,
        external_id=document.external_id,
        source=document.source,
        split=document.split,
        cluster=document.cluster,
        alike=history.alike(store, document),
        beginning=_beginning(document),
        gold=settled.gold.get(document.id),
        majority=settled.by_majority.get(document.id),
        disputed=document.id in settled.disputed,
        events=sorted(events, key=lambda event: event.at),
    )


def _one(found: list[Document], task: str, wanted: str) -> Document:
    if not found:
        raise InputError(
            f"no document of {task} is known by {wanted!r}: give (the beginning of) its id, the id it has in your "
            "files, or a piece of its text as it stands there; `--task` names another task."
        )
    if len(found) > 1:
        listed = "\n".join(f"  {d.id}  {_beginning(d)[:80]}" for d in found[:_LISTED])
        more = "" if len(found) <= _LISTED else "\n  ..."
        raise InputError(f"{wanted!r} names several documents of {task}; give more of one:\n{listed}{more}")
    return found[0]


def _events(store: Store, document: Document) -> Iterator[Event]:
    yield Event(at=document.created_at, kind="arrived", who="retort", did=f"arrived from {document.source}")
    yield from (_model(label) for label in history.answers(store, document.task, document.id))
    yield from (_why(one) for one in rationales.of_document(store, document.task, document.id))
    yield from _on_desk(store, document)
    yield from _people(history.edits(store, document.task, document.id))
    yield from _second_looks(store, document)
    yield from _trained(store, document)
    for asked in history.requests(store, document):
        by = f"{document.task}@{asked.release}" if asked.release is not None and not asked.fallback else "the teacher"
        did = f"asked in production, answered {_said(asked.value)} by {by}{_sure(asked.confidence)}"
        at, sure, cost = asked.created_at, asked.confidence, asked.cost_usd
        yield Event(at=at, kind="request", who=asked.model, did=did, value=asked.value, confidence=sure, cost_usd=cost)


def _model(label: Label) -> Event:
    said = f"said {_said(label.value)}" if label.outcome is Outcome.answered else f"{label.outcome}: {label.error}"
    if label.copied_from:
        said += f", copied from the near-duplicate {label.copied_from}"
    did = f"{label.role}: {said}{_sure(label.confidence)}, ${label.cost_usd:.6f} (prompt {label.prompt[:8]})"
    at, sure, cost = label.created_at, label.confidence, label.cost_usd
    return Event(at=at, kind="model", who=label.model, did=did, value=label.value, confidence=sure, cost_usd=cost)


def _why(one: Rationale) -> Event:
    said = one.text or f"no reason: {one.error}"
    did = f"teacher, asked why it said {_said(one.value)}: {said}, ${one.cost_usd:.6f}"
    return Event(at=one.created_at, kind="rationale", who=one.model, did=did, cost_usd=one.cost_usd)


def _on_desk(store: Store, document: Document) -> Iterator[Event]:
    first = history.sent(store, document.task, document.id)
    if first is None:
        return
    beside = "without a suggestion" if first.suggestion is None else f"with the suggestion {_said(first.suggestion)}"
    did = f"sent in round {first.round} ({first.reason}), {beside}{_sure(first.score)}"
    yield Event(at=first.sent_at, kind="desk", who="desk", did=did, value=first.suggestion, confidence=first.score)
    for shown in history.suggestions(store, document.task, document.id):
        did = f"showed a newer suggestion, by {shown.model}: {_said(shown.value)}{_sure(shown.score)}"
        at = shown.shown_at
        yield Event(at=at, kind="suggestion", who="desk", did=did, value=shown.value, confidence=shown.score)


def _people(edits: list[Correction]) -> Iterator[Event]:
    before: dict[str, Correction] = {}
    for edit in edits:
        said = "discarded it" if edit.discarded else f"answered {_said(edit.value)}"
        if edit.reviewer in before:
            was = before[edit.reviewer]
            said += ", before: " + ("discarded" if was.discarded else _said(was.value))
        elif edit.suggestion is not None and not edit.discarded:
            kept = edit.value == edit.suggestion
            said += " (as suggested)" if kept else f" (suggested was {_said(edit.suggestion)})"
        before[edit.reviewer] = edit
        yield Event(at=edit.answered_at, kind="person", who=edit.reviewer, did=said, value=edit.value)


def _second_looks(store: Store, document: Document) -> Iterator[Event]:
    """Before a lead, and read once more: why it was sent there, and each answer, the labels by their names of today."""
    for queue, place in ((Queue.adjudication, "before a lead"), (Queue.reading, "to be read once more")):
        look = second_looks.sent(store, document.task, queue).get(document.id)
        if look is None:
            continue
        yield Event(at=look.sent_at, kind="desk", who="desk", did=f"sent {place} ({look.reason})")
        for row in second_looks.answers(store, document.task, queue):
            if row.document_id == document.id:
                said = "discarded it" if row.discarded else _said(row.value)
                at, who = row.answered_at, row.reviewer
                if queue is Queue.adjudication:
                    yield Event(at=at, kind="lead", who=who, did=f"decided: {said}", value=row.value)
                else:
                    yield Event(at=at, kind="reading", who=who, did=f"read it once more: {said}", value=row.value)


def _trained(store: Store, document: Document) -> Iterator[Event]:
    """Where it was trained on. A frozen dataset's files say so; where they are gone, what it notes of corrections."""
    students = registry.task_students(store, document.task)
    for version in registry.dataset_versions(store, document.task):
        where = _place(version, document.id)
        if where is None:
            continue
        who = f"dataset {version.version}"
        yield Event(at=version.created_at, kind="dataset", who=who, did=f"frozen into it: {where}")
        for student in (s for s in students if s.dataset_version == version.version):
            did = f"trained on dataset {version.version}"
            yield Event(at=student.created_at, kind="student", who=student.model_name, did=did)


def _place(version: DatasetVersion, document_id: str) -> str | None:
    for split in (Split.train, Split.validation):
        file = Path(version.path) / f"{split}.jsonl"
        row = _row(file, document_id) if file.is_file() else None
        if row:
            return f"{split} row, {row['messages'][-1]['content'][:_SHOWN]!r} by {row['source']}"
    return "a correction; its files are gone" if _was_corrected(version, document_id) else None


def _row(file: Path, document_id: str) -> dict[str, Any] | None:
    with file.open(encoding="utf-8") as lines:
        rows = (json.loads(line) for line in lines if document_id in line)
        return next((row for row in rows if row["document_id"] == document_id), None)


def _was_corrected(version: DatasetVersion, document_id: str) -> bool:
    return not Path(version.path).is_dir() and document_id in version.manifest.get("corrected", {})


def _said(value: Answer | None) -> str:
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _sure(confidence: float | None) -> str:
    return "" if confidence is None else f", sure to {100 * confidence:.0f} %"


def _beginning(document: Document) -> str:
    line = _one_line(document.text[: 2 * _SHOWN])
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


def _one_line(text: str) -> str:
    """Strangers' words on one line, without what a terminal might take for a command."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
