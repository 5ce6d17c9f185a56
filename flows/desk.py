"""The way from a step to the review desk: address and key from the settings, the form from the task, one round sent."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from pydantic import BaseModel

from evaluation import reliability
from evaluation.score import candidate, score_candidate
from flows.context import Context
from flows.settings import Settings
from prompts.pool import teacher_prompt
from prompts.task import ChoiceAnswer, Task
from records import corrections, desk_log, kindred, ledger, library
from records.errors import EnvironmentFault
from records.types import DeskRecord, Label, Role, Split
from review import people
from review.desk import Desk
from review.form import Form, choice_form, json_form
from review.routing import route

WORKSPACE = "retort"


class OnDesk(BaseModel):
    """What is on the desk. `held_back`: more than one round takes; the next run of `label` sends them."""

    sent: int
    round: int
    blind: int
    total: int
    held_back: int
    url: str


def form_of(task: Task) -> Form:
    """What reviewers are asked for this task."""
    if isinstance(task.answer, ChoiceAnswer):
        return choice_form({label.name: label.description for label in task.answer.labels}, task.title)
    return json_form(task.answer.schema_)


def label_descriptions(task: Task) -> dict[str, str]:
    """What each label means, for the guidelines; empty for json."""
    return {x.name: x.description for x in task.answer.labels} if isinstance(task.answer, ChoiceAnswer) else {}


@contextmanager
def open_desk(context: Context) -> Iterator[Desk]:
    """The desk, signed in as its owner. Raises ServiceError when it does not answer or refuses the key."""
    desk = Desk.connect(context.settings.desk, _key(context.settings), WORKSPACE)
    try:
        yield desk
    finally:
        desk.close()


def seat_reviewers(context: Context, desk: Desk) -> None:
    """Give the reviewers that Retort made up their accounts. A desk elsewhere has people of its own."""
    known = people.read(context.settings.home / "credentials.json")
    if known and not context.settings.argilla_url:
        people.ensure(desk, known.reviewers)


def labels_of(context: Context, task: Task) -> dict[str, Label]:
    """What the teacher said of each document; where it was not asked, what a log says that was answered."""
    store, model, prompt = context.store, task.teacher.model, teacher_prompt(context.store, task)
    logged = kindred.logged(store, task.name) if task.logs and task.logs.answers_as_labels else {}
    return logged | ledger.newest(store, task.name, Role.teacher, model, prompt)


def send_to_desk(context: Context, task: Task) -> OnDesk:
    """Send one round: every test document, blind, and what the teacher is not sure of, up to `max_per_round`."""
    store = context.store
    everything = library.documents(store, task.name)
    labels = labels_of(context, task)
    sent = desk_log.sent(store, task.name)
    wave = 1 + max((record.round for record in sent.values()), default=0)
    waiting = route(everything, labels, sent, task.review.trust_above, None, wave)
    records = route(everything, labels, sent, task.review.trust_above, task.review.max_per_round, wave)
    with open_desk(context) as desk:
        seat_reviewers(context, desk)
        board = desk.ensure(
            task.name, form_of(task), task.guidelines, label_descriptions(task), task.review.reviewers_per_document
        )
        expected = expected_accuracy(context, task, records, labels)
        by_field = {r.document_id: labels[r.document_id].scores for r in records if isinstance(r.suggestion, dict)}
        board.send(records, {d.id: d.text for d in everything}, context.progress, expected, by_field)
        desk_log.record(store, records)
        return OnDesk(
            sent=len(records),
            round=wave,
            blind=sum(record.blind for record in records),
            total=len(sent) + len(records),
            held_back=len(waiting) - len(records),
            url=board.url,
        )


def expected_accuracy(
    context: Context, task: Task, records: Sequence[DeskRecord], labels: Mapping[str, Label]
) -> dict[str, float]:
    """How often answers as sure as each record's suggestion were right, by document, as far as gold tells.

    Measured on test documents only: those people answered without a suggestion, and whatever the teacher's confidence.
    """
    test = {d.id for d in library.documents(context.store, task.name, Split.test)}
    gold = {i: answer for i, answer in corrections.settled(context.store, task.name).gold.items() if i in test}
    teacher = candidate(task.teacher.model, Role.teacher, labels.values())
    bins = reliability.table(reliability.sure_and_right(teacher, score_candidate(teacher, gold)))
    found = {r.document_id: reliability.expected_accuracy(bins, r.score) for r in records if r.score is not None}
    return {i: round(one.value, 4) for i, one in found.items() if one is not None and one.value is not None}


def _key(settings: Settings) -> str:
    if settings.argilla_api_key:
        return settings.argilla_api_key.get_secret_value()
    known = people.read(settings.home / "credentials.json")
    if known is None or not known.owner.api_key:
        raise EnvironmentFault(
            f"no key for the review desk at {settings.desk}: start the local one (`make up`), "
            "or set RETORT_ARGILLA_API_KEY to its owner's API key."
        )
    return known.owner.api_key
