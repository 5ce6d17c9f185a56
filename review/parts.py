"""A task's further boards, beside the one under its own name, and what people read there.

| board                | who answers                 | what is on it                                                |
|----------------------|-----------------------------|--------------------------------------------------------------|
| `TASK`               | reviewers                   | what needs a person; the test documents too, by default      |
| `TASK-test`          | more (or fewer) reviewers   | test documents, where another number of people answers them  |
| `TASK-reading`       | every reviewer              | second readings: documents that are settled, once more       |
| `TASK-adjudication`  | a lead, in another workspace| what reviewers do not settle, with what they said, unnamed   |

Argilla asks the same number of answers of every record of a dataset, and every member of a workspace sees all of its
datasets. So another number needs another dataset, and what only a lead may see another workspace.
"""

from collections.abc import Mapping, Sequence

from review.board import Board
from review.desk import Desk
from review.form import Form
from review.kept import Column

MAIN, TEST, READING, ADJUDICATION = "", "test", "reading", "adjudication"
SAID = "said"
SAID_TITLE = "What the reviewers said"

_ADJUDICATION = """\
## Your part: to decide

Reviewers gave these documents different answers, or there is another reason to look again; what they said stands above
each document, without names. Read the document, then answer as the guidelines ask. **Your answer settles it**, whether
it is one of theirs or another. Discard a document that nobody could answer: it is then left out everywhere.
"""


def guidelines(part: str, text: str, people: int = 1) -> str:
    """The task's guidelines, with what is particular to this board first."""
    several = f"**{people} people answer each document**" if people > 1 else "**One person answers each document**"
    openings = {
        TEST: f"## These are test documents\n\nEverything is measured by them. {several}, without a suggestion; "
        "please do not compare your answers. What they do not settle, a lead decides.\n",
        READING: "## These are second readings\n\n**Everybody answers each of these**, also who has met it before, "
        "without a suggestion. They show how alike we read the guidelines; they change no earlier answer.\n",
        ADJUDICATION: _ADJUDICATION,
    }
    return f"{openings[part]}\n{text}" if part in openings else text


def find(desk: Desk, task: str, form: Form, part: str) -> Board | None:
    """One of a task's further boards, or None when there is none yet. Raises InputError and ServiceError as `Desk`."""
    found = desk.find(name(task, part), form)
    return found and Board(desk, task, form, found.id)


def ensure(
    desk: Desk,
    task: str,
    form: Form,
    part: str,
    text: str,
    labels: Mapping[str, str],
    people: int = 1,
    columns: Sequence[Column] = (),
) -> Board:
    """One of a task's further boards, made when missing. `text`: the task's guidelines; `people`: who answer each;
    `columns`: as in `Desk.ensure`.
    """
    told = guidelines(part, text, people)
    made = desk.ensure(name(task, part), form, told, labels, people, above(part), columns)
    return Board(desk, task, form, made.id)


def above(part: str) -> dict[str, str]:
    """The texts that stand above a document there (name -> title)."""
    return {SAID: SAID_TITLE} if part == ADJUDICATION else {}


def name(task: str, part: str) -> str:
    """How Argilla calls a board. A task's name has no dash, so no two boards share a name."""
    return f"{task}-{part}" if part else task
