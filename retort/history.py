"""The command that shows all that is known of one document."""

from typing import Annotated

import typer

from retort.console import show
from retort.session import DEFAULT_TASK, Json, Task, stepping


def history(
    document: Annotated[
        str, typer.Argument(help="(Beginning of) its id, the id it has in your files, or a piece of its text.")
    ],
    task: Task = DEFAULT_TASK,
    json: Json = False,
) -> None:
    """Show who and what said what of one document, and when: models, people with their edits, datasets, students."""
    from flows.history import document_history

    with stepping() as context:
        result = document_history(context, task, document)
    show(result, json, result.text)
