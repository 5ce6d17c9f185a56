"""The way from a step to the review desk: address and key from the settings, the form from the task, one round sent.

Which documents a round takes, and in which order, `review.routing` says; here they are read a page at a time, with what
it needs to know of each: the teacher's answer, the student's, and what earlier rounds sent.
"""

import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from pydantic import BaseModel

from evaluation import reliability
from flows.boards import about, bring_up_to_date, columns, label_descriptions
from flows.calibrating import calibrate, on_test, rules_of
from flows.context import Context
from flows.placing import by_board
from flows.rationales import Reasons, reasons_for
from flows.refreshing import refresh_suggestions, waiting_ids
from flows.second_opinion import opinions
from flows.settings import Settings
from prompts.pool import teacher_prompt
from prompts.task import ChoiceAnswer, Task
from records import corrections, desk_log, kindred, ledger, library
from records.errors import EnvironmentFault
from records.types import DeskRecord, Label, Role
from review import people
from review.about import FIELD
from review.desk import Desk
from review.form import Form, choice_form, json_form
from review.routing import Known, Shortlist

WORKSPACE = "retort"
_PAGE = 500
_NO_ROOM = "the board was made before there was a field for it"


class OnDesk(BaseModel):
    """What is on the desk. `reasons`: how many were sent why; `held_back`: more than one round takes, the next run of
    `label` sends them. `refreshed`: suggestions of before that a newer model's took the place of; `note`: why not the
    student's, where they should; `rationales`: the teacher's, where the task asks for them; `confidence`: how the
    teacher's is read; `unlinked`: how many were sent without the link that the task asks for.
    """

    sent: int
    round: int
    blind: int
    total: int
    held_back: int
    url: str
    reasons: dict[str, int] = {}
    refreshed: int = 0
    note: str = ""
    rationales: Reasons | None = None
    confidence: str = ""
    unlinked: int = 0

    @property
    def text(self) -> str:
        """For people."""
        why = ", ".join(f"{n} {reason}" for reason, n in self.reasons.items())
        sent = f"{self.sent} sent in round {self.round}{f' ({why}; {self.blind} without a suggestion)' if why else ''}"
        return f"{sent}, {self.total} there in all, {self.held_back} held back: {self.url}"

    @property
    def links(self) -> str:
        """For people: why there is no link beside some records; empty where all have theirs."""
        if not self.unlinked:
            return ""
        return (
            f"{self.unlinked} of the {self.sent} sent have none: for document.link, {{path}} is known of files only, "
            "not of rows of a table; {id} of what has an id of its own; and a name with `..` is not taken"
        )


def form_of(task: Task) -> Form:
    """What reviewers are asked for this task."""
    if isinstance(task.answer, ChoiceAnswer):
        return choice_form({label.name: label.description for label in task.answer.labels}, task.title)
    return json_form(task.answer.schema_)


@contextmanager
def open_desk(context: Context, workspace: str = WORKSPACE) -> Iterator[Desk]:
    """The desk, signed in as its owner. Raises ServiceError when it does not answer or refuses the key."""
    desk = Desk.connect(context.settings.desk, _key(context.settings), workspace)
    try:
        yield desk
    finally:
        desk.close()


def seat_reviewers(context: Context, desk: Desk) -> None:
    """Give the reviewers that Retort made up their accounts. A desk elsewhere has people of its own."""
    known = people.read(context.settings.home / "credentials.json")
    if known and not context.settings.argilla_url:
        people.ensure(desk, known.reviewers)


def labels_of(context: Context, task: Task, ids: Collection[str]) -> dict[str, Label]:
    """What the teacher said of these documents; where it was not asked, what a log says that was answered."""
    store, model, prompt = context.store, task.teacher.model, teacher_prompt(context.store, task)
    logged = kindred.logged(store, task.name, ids) if task.logs and task.logs.answers_as_labels else {}
    return logged | ledger.newest(store, task.name, Role.teacher, model, prompt, ids)


def send_to_desk(
    context: Context,
    task: Task,
    reviews: int = 0,
    explain: bool = True,
    rationales_usd: float | None = None,
    recalibrate: bool = False,
) -> OnDesk:
    """Send one round of `reviews` documents at most (0: the task's `max_per_round`), the worthiest first.

    `explain`: where the task wants it, ask the teacher why it answers so, for `rationales_usd` at most (None: for what
    the task's budget leaves). `recalibrate`: read its confidence by today's answers to test documents from now on.
    """
    read = calibrate(context, task, recalibrate)
    sent = desk_log.rounds(context.store, task.name)
    wave = 1 + max(sent.values(), default=0)
    chosen = _chosen(context, task, sent, wave, reviews or task.review.max_per_round)
    records = chosen.records
    ids = [record.document_id for record in records]
    labels, texts = labels_of(context, task, ids), library.get(context.store, task.name, ids)
    with open_desk(context) as desk:
        seat_reviewers(context, desk)
        bring_up_to_date(context, desk, task, form_of(task))
        board = desk.ensure(
            task.name,
            form_of(task),
            task.guidelines,
            label_descriptions(task),
            task.review.reviewers_per_document,
            columns=columns(task),
        )
        expected = expected_accuracy(context, task, records)
        by_field = {r.document_id: labels[r.document_id].scores for r in records if _is_object(r)}
        beside, words = about(context, task, texts.values()), {i: d.text for i, d in texts.items()}
        told = None
        if task.teacher.rationale:
            barred = "interrupted" if not explain else "" if FIELD in board.fields else _NO_ROOM
            why, told = reasons_for(context, task, records, labels, texts, rationales_usd, barred)
            beside |= {i: beside[i]._replace(reason=reason) for i, reason in why.items()}
        for place, own in by_board(desk, task, board, records, form_of(task), label_descriptions(task)):
            place.send(own, words, context.progress, expected, by_field, beside)
        desk_log.record(context.store, records)
        old = labels_of(context, task, waiting_ids(context, task) - set(ids))
        refreshed = refresh_suggestions(context, task, board, old)
        return OnDesk(
            sent=len(ids),
            round=wave,
            blind=sum(record.blind for record in records),
            total=len(sent) + len(ids),
            held_back=chosen.waiting - len(ids),
            url=board.url,
            reasons=dict(Counter(record.reason for record in records).most_common()),
            refreshed=refreshed.shown,
            note=refreshed.note,
            rationales=told,
            confidence=read.sentence,
            unlinked=sum(not beside[i].link for i in ids) if task.document.link else 0,
        )


def _chosen(context: Context, task: Task, sent: Collection[str], wave: int, places: int) -> Shortlist:
    """The round's records, found a page of documents at a time: there may be a million."""
    chosen = Shortlist(rules_of(context, task), wave, places, _known(context, task, sent))
    waiting = (d for d in library.Stream(context.store, task.name) if d.id not in sent)
    while page := list(itertools.islice(waiting, _PAGE)):
        labels = labels_of(context, task, [d.id for d in page])
        chosen.add(page, labels, opinions(context, task, labels))
    return chosen


def _known(context: Context, task: Task, sent: Collection[str]) -> Known:
    """What earlier rounds left: documents, clusters (test documents have none in common with others), answers."""
    clusters = {place.cluster for place in kindred.places(context.store, task.name, list(sent)).values()}
    gold = corrections.settled(context.store, task.name).gold.values()
    return Known(sent, clusters, Counter(answer for answer in gold if isinstance(answer, str)))


def _is_object(record: DeskRecord) -> bool:
    return isinstance(record.suggestion, dict)


def expected_accuracy(context: Context, task: Task, records: Sequence[DeskRecord]) -> dict[str, float]:
    """How often answers as sure as each record's suggestion were right, by document, as far as gold tells.

    Measured on test documents only: those people answered without a suggestion, and whatever the teacher's confidence.
    """
    bins = reliability.table(on_test(context, task))
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
