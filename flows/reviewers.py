"""How good people's answers are and what they are worth, from what is stored; asks nothing of anybody.

The teacher's answers are read a page at a time: of a task with a million documents, only those that people answered,
and how often each label stands unreviewed, are held.

Run as:  retort reviewers --task legal_intake
"""

import itertools
from collections import defaultdict
from dataclasses import dataclass, field

from pydantic import BaseModel

from evaluation.people import Material, PeopleReport, people_report
from evaluation.people_page import markdown
from flows.context import Context, find_task
from flows.desk import labels_of
from prompts.parse import parse
from prompts.task import Task
from records import corrections, desk_log, kindred, library, second_looks
from records.errors import InputError
from records.second_looks import Queue
from records.types import Answer, Label, Outcome, Split

_PAGE = 500


class Reviewers(BaseModel):
    """The report of one task."""

    task: str
    report: PeopleReport

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        return f"**{self.task}: people's answers**\n\n{markdown(self.report)}"


@dataclass
class _Heard:
    """What the teacher said, as far as it is needed."""

    answers: dict[str, tuple[Answer, float | None]] = field(default_factory=dict)
    unreviewed: list[Answer] = field(default_factory=list)
    samples: list[list[Answer]] = field(default_factory=list)
    clusters: dict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))


def measure_people(context: Context, task: str) -> Reviewers:
    """The step. Raises InputError where nobody answered anything yet."""
    found = find_task(context, task)
    given = material(context, found)
    if not given.corrections:
        raise InputError(f"{found.name}: nobody has answered anything yet: review on the desk, then `retort collect`.")
    context.progress("measuring people", 0, 1, f"{len(given.corrections)} answers")
    report = people_report(given)
    context.progress("measuring people", 1, 1, "")
    return Reviewers(task=found.name, report=report)


def material(context: Context, task: Task) -> Material:
    """All that there is on people's answers to a task."""
    store = context.store
    rows, settled = corrections.all(store, task.name), corrections.settled(store, task.name)
    sent, known = desk_log.sent(store, task.name), library.get(store, task.name, settled.gold)
    answered = {row.document_id for row in rows}
    places = {i: place.split for i, place in kindred.places(store, task.name, sorted(answered)).items()}
    heard = _heard(context, task, answered, set(sent))
    return Material(
        corrections=rows,
        gold=settled.gold,
        disputed=settled.disputed,
        by_majority=len(settled.by_majority),
        decisions=second_looks.decisions(store, task.name),
        readings=second_looks.answers(store, task.name, Queue.reading),
        teacher=heard.answers,
        sent=sent,
        test=frozenset(i for i, split in places.items() if split is Split.test),
        texts={i: d.text for i, d in known.items()},
        clusters={i: d.cluster for i, d in known.items()},
        samples=heard.samples,
        near=[values for values in heard.clusters.values() if len(values) > 1],
        unreviewed=heard.unreviewed,
        wanted=task.review.for_test,
    )


def _heard(context: Context, task: Task, answered: set[str], sent: set[str]) -> _Heard:
    found, ids = _Heard(), iter(library.Stream(context.store, task.name).ids)
    while page := list(itertools.islice(ids, _PAGE)):
        places = kindred.places(context.store, task.name, page)
        for i, label in labels_of(context, task, page).items():
            if label.outcome is not Outcome.answered or label.value is None:
                continue
            if i in answered:
                found.answers[i] = (label.value, label.confidence)
            elif i not in sent and places[i].split in (Split.train, Split.validation):
                found.unreviewed.append(label.value)
            found.samples.extend(_samples(task, label))
            if label.copied_from is None and not label.model.startswith(kindred.LOGGED):
                found.clusters[places[i].cluster].append(label.value)
    return found


def _samples(task: Task, label: Label) -> list[list[Answer]]:
    """What the teacher's samples of one document say, those that can be read."""
    read = [parse(task, text).value for text in label.samples or () if text]
    said = [value for value in read if value is not None]
    return [said] if len(said) > 1 else []
