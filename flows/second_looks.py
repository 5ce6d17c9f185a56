"""What is looked at twice: disputes go to a lead and come back decided, settled documents are read once more.

Called by `collect` after people's answers are in the store. A decision is fetched before anything is sent or taken
back, so that none is overtaken. Nothing is made on the desk until there is something to put there.
"""

from collections.abc import Mapping

from pydantic import BaseModel

from flows import placing
from flows.boards import about_unanswered, bring_up_to_date, columns, label_descriptions
from flows.context import Context
from flows.desk import form_of, open_desk
from prompts.task import Task
from records import corrections, library, second_looks
from records.second_looks import Queue, SecondAnswer, SecondLook
from records.types import Correction, DeskRecord, Split, now
from review import adjudication, parts, people, readings
from review.adjudication import Case
from review.board import Board
from review.desk import Desk

LEADS = "retort-leads"
"""The workspace that leads see and reviewers do not."""


class SecondLooks(BaseModel):
    """How the queues stand. `waiting`: before a lead; `decided`: in all; `overtaken`: reviewers answered since."""

    waiting: int = 0
    decided: int = 0
    overtaken: int = 0
    readings: int = 0
    answered: int = 0
    url: str = ""
    faults: list[str] = []

    @property
    def lines(self) -> list[str]:
        """For people (Markdown), nothing where nothing was looked at twice."""
        said = []
        if self.waiting or self.decided:
            said.append(f"- before a lead: {self.waiting} wait, {self.decided} decided: {self.url}")
        if self.overtaken:
            said.append(f"- reviewers answered {self.overtaken} of these anew since; the lead's decision stands")
        if self.readings:
            said.append(f"- second readings: {self.readings} sent, {self.answered} answers")
        return said


def look_again(context: Context, task: Task) -> SecondLooks:
    """Fetch decisions and second readings, send what is new of both, take back what ended. Raises ServiceError."""
    found = SecondLooks(faults=_fetch_decisions(context, task) + _fetch_readings(context, task))
    send_cases(context, task, {})
    _send_readings(context, task)
    decided = second_looks.decisions(context.store, task.name)
    waiting = second_looks.sent(context.store, task.name, Queue.adjudication).keys() - decided.keys()
    found.waiting, found.decided = len(waiting), len(decided)
    found.overtaken = len(overtaken(corrections.all(context.store, task.name), decided))
    found.readings = len(second_looks.sent(context.store, task.name, Queue.reading))
    found.answered = len(second_looks.answers(context.store, task.name, Queue.reading))
    if waiting or decided:
        with open_desk(context, LEADS) as desk:
            board = parts.find(desk, task.name, form_of(task), parts.ADJUDICATION)
            found.url = board.url if board else ""
    return found


def overtaken(rows: list[Correction], decided: Mapping[str, SecondAnswer]) -> set[str]:
    """Decided documents to which a reviewer gave another answer after the decision."""
    later = {r.document_id: r for r in rows if r.document_id in decided and not r.discarded}
    return {i for i, r in later.items() if r.answered_at > decided[i].answered_at and r.value != decided[i].value}


def _fetch_decisions(context: Context, task: Task) -> list[str]:
    sent = second_looks.sent(context.store, task.name, Queue.adjudication)
    if not sent:
        return []
    with open_desk(context, LEADS) as desk:
        bring_up_to_date(context, desk, task, form_of(task), [parts.ADJUDICATION])
        board = parts.find(desk, task.name, form_of(task), parts.ADJUDICATION)
        if board:
            return _fetch(context, task, board, Queue.adjudication)
    # Somebody deleted the board: what nobody decided is no longer there, and is sent anew.
    lost = sent.keys() - second_looks.decisions(context.store, task.name).keys()
    second_looks.forget(context.store, task.name, Queue.adjudication, sorted(lost))
    return []


def _fetch_readings(context: Context, task: Task) -> list[str]:
    if not second_looks.sent(context.store, task.name, Queue.reading):
        return []
    with open_desk(context) as desk:
        board = parts.find(desk, task.name, form_of(task), parts.READING)
        return _fetch(context, task, board, Queue.reading) if board else []


def _fetch(context: Context, task: Task, board: Board, queue: Queue) -> list[str]:
    read = placing.read(context, {board: None})
    second_looks.save(context.store, [_second(row, queue) for row in read.corrections])
    placing.keep(context, task, read)
    return read.faults


def _second(row: Correction, queue: Queue) -> SecondAnswer:
    return SecondAnswer(
        task=row.task,
        document_id=row.document_id,
        queue=queue,
        reviewer=row.reviewer,
        answered_at=row.answered_at,
        value=row.value,
        discarded=row.discarded,
    )


def send_cases(context: Context, task: Task, doubted: Mapping[str, Case]) -> int:
    """Bring the lead's queue up to date with the disputes there are, and these doubted answers; how many are new.

    What was sent is noted after the desk has it: a kill in between has it sent again, which changes nothing there.
    """
    cases = {**doubted, **adjudication.disputes(corrections.settled(context.store, task.name).disputed)}
    sent = second_looks.sent(context.store, task.name, Queue.adjudication)
    fresh, stale = adjudication.plan(cases, sent, second_looks.decisions(context.store, task.name))
    if not (fresh or stale):
        return 0
    documents = library.get(context.store, task.name, [case.document_id for case in fresh])
    texts, beside = {i: d.text for i, d in documents.items()}, about_unanswered(task, documents.values())
    with open_desk(context, LEADS) as desk:
        board = _leads_board(context, task, desk)
        gone = adjudication.take_back(board, stale)
        second_looks.forget(context.store, task.name, Queue.adjudication, gone)
        begun = set(stale) - set(gone)
        new = [case for case in fresh if case.document_id in texts and case.document_id not in begun]
        adjudication.send(board, new, texts, beside)
    second_looks.record(context.store, [_look(task, case) for case in new])
    return len(new)


def _leads_board(context: Context, task: Task, desk: Desk) -> Board:
    names = task.review.leads
    if names and not context.settings.argilla_url:
        people.ensure(desk, people.leads(context.settings.home / "credentials.json", names))
    elif names:
        people.seat_by_name(desk, names)
    labels, kept = label_descriptions(task), columns(task)
    return parts.ensure(desk, task.name, form_of(task), parts.ADJUDICATION, task.guidelines, labels, columns=kept)


def _look(task: Task, case: Case) -> SecondLook:
    return SecondLook(
        task=task.name,
        document_id=case.document_id,
        queue=Queue.adjudication,
        reason=case.reason,
        said=case.said,
    )


def _send_readings(context: Context, task: Task) -> None:
    """Send as many second readings as the task asks for and are not there yet."""
    sent = second_looks.sent(context.store, task.name, Queue.reading)
    if len(sent) >= task.review.second_readings:
        return
    gold = corrections.settled(context.store, task.name).gold
    known = library.get(context.store, task.name, gold)
    train = {i for i, d in known.items() if d.split is Split.train}
    last = {c.document_id: c.answered_at for c in corrections.all(context.store, task.name) if c.document_id in train}
    ids = readings.chosen(last, sent, task.review.second_readings, now())
    if not ids:
        return
    records = [DeskRecord(task=task.name, document_id=i, round=1, reason="second reading", blind=True) for i in ids]
    with open_desk(context) as desk:
        labels, everybody, kept = label_descriptions(task), readings.EVERYBODY, columns(task)
        board = parts.ensure(desk, task.name, form_of(task), parts.READING, task.guidelines, labels, everybody, kept)
        beside = about_unanswered(task, [known[i] for i in ids])
        board.send(records, {i: known[i].text for i in ids}, context.progress, about=beside)
    second_looks.record(
        context.store,
        [
            SecondLook(task=task.name, document_id=i, queue=Queue.reading, reason="second reading", said=[gold[i]])
            for i in ids
        ],
    )
