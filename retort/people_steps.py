"""The commands about the people at the desk: how good their answers are, and which deserve a second look."""

from typing import Annotated

import typer

from retort.console import show
from retort.session import DEFAULT_TASK, Json, Task, stepping


def reviewers(task: Task = DEFAULT_TASK, json: Json = False) -> None:
    """Show how far people agree, how each reviewer works, and what their corrections are worth; asks nothing."""
    from flows.reviewers import measure_people

    with stepping() as context:
        result = measure_people(context, task)
    show(result, json, result.text)


def second_look(
    task: Task = DEFAULT_TASK,
    send: Annotated[int, typer.Option(min=0, help="Send so many, the most striking first, to the lead's queue.")] = 0,
    json: Json = False,
) -> None:
    """List people's own answers that look wrong, and send them to a lead if wanted."""
    from flows.doubts import doubt_answers

    with stepping() as context:
        result = doubt_answers(context, task, send)
    show(result, json, result.text)


PEOPLE = (reviewers, second_look)
