"""Which board of a task a document goes to, and how all of a task's boards are read from where reading stopped.

Each board has a place of its own up to which it was read: an answer that came to one board while another was being
read would else be taken for known. Where an answer could not be read, that place is not moved, so that the fault is
told again until its reviewer has corrected it.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from flows.boards import columns
from flows.context import Context
from prompts.task import Task
from records import second_looks
from records.types import Correction, DeskRecord
from review import parts
from review.board import Board
from review.desk import Desk
from review.form import Form
from review.routing import Reason


class Read(NamedTuple):
    """What was read. `done`: board -> up to where, to be kept once the answers are."""

    corrections: list[Correction]
    faults: list[str]
    done: dict[str, datetime]


def by_board(
    desk: Desk, task: Task, main: Board, records: Sequence[DeskRecord], form: Form, labels: Mapping[str, str]
) -> Iterator[tuple[Board, list[DeskRecord]]]:
    """The records with their board: test documents have their own where another number of people answers them."""
    apart = task.review.for_test != task.review.reviewers_per_document
    test = [record for record in records if apart and is_test(record)]
    rest = [record for record in records if not (apart and is_test(record))]
    if rest:
        yield main, rest
    if test:
        people, kept = task.review.for_test, columns(task)
        yield parts.ensure(desk, task.name, form, parts.TEST, task.guidelines, labels, people, kept), test


def is_test(record: DeskRecord) -> bool:
    """Whether it was routed for the test split (other blind records are of the train split)."""
    return record.blind and record.reason == Reason.test


def read(context: Context, boards: Mapping[Board, datetime | None]) -> Read:
    """What people answered on these boards since they were read last, or since this moment (None: ever)."""
    found = Read([], [], {})
    for board, before in boards.items():
        since = second_looks.cursor(context.store, board.id)
        fetched = board.fetch(since or before, context.progress)
        found.corrections.extend(fetched.corrections)
        found.faults.extend(f"{f.document_id} by {f.reviewer}: {f.error}" for f in fetched.faults)
        if not fetched.faults:
            found.done[board.id] = fetched.cursor
    return found


def keep(context: Context, task: Task, read_: Read) -> None:
    """Remember up to where the boards were read; called when what was read is in the store."""
    for board, moment in read_.done.items():
        second_looks.keep_cursor(context.store, task.name, board, moment)
