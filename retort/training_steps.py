"""The commands about training: a student, what a dataset version holds, and what more corrections would bring."""

from typing import Annotated, Literal

import typer

from records.errors import InputError
from retort.console import show
from retort.session import DEFAULT_TASK, Json, Task, stepping

RecipeName = Annotated[str, typer.Option("--recipe", help="Recipe by name or YAML file. Default: as in task.yaml.")]


def train(
    task: Task = DEFAULT_TASK,
    recipe: RecipeName = "",
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Try training.sweep's settings; keep the best on the validation split.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show rows, memory and time; freeze the dataset, train nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Train a student on corrections and trusted labels (Axolotl), and export it for serving."""
    from flows.fitting import forecast
    from flows.train import train_student

    with stepping() as context:
        if dry_run:
            told = forecast(context, task, recipe, sweep)
            show(told, json, told.text)
            return
        result = train_student(context, task, recipe, sweep)
    show(result, json, result.text)


def dataset(
    what: Annotated[Literal["diff", "card"], typer.Argument(help="diff OLD NEW: what changed; card [VERSION].")],
    versions: Annotated[list[int] | None, typer.Argument(help="Versions of the task's dataset.", min=1)] = None,
    task: Task = DEFAULT_TASK,
    json: Json = False,
) -> None:
    """Show what differs between two dataset versions, or the card of one (default: the newest)."""
    from flows.versions import dataset_card, dataset_difference

    given = versions or []
    if len(given) != 2 if what == "diff" else len(given) > 1:
        raise InputError(
            f"`retort dataset {what}` takes {'two versions' if what == 'diff' else 'one version at most'}."
        )
    with stepping() as context:
        if what == "diff":
            difference = dataset_difference(context, task, *given)
            show(difference, json, difference.text)
            return
        found = dataset_card(context, task, given[0] if given else 0)
    show(found, json, found.text)


def curve(
    task: Task = DEFAULT_TASK,
    recipe: RecipeName = "",
    shares: Annotated[str, typer.Option(help="Percent of the rows to train on, by commas.")] = "25,50,100",
    more: Annotated[str, typer.Option(help="How many more corrections to look ahead, by commas.")] = "500",
    json: Json = False,
) -> None:
    """Train on parts of the rows, and say what more corrections would probably bring (validation split only)."""
    from flows.curve import learning_curve

    with stepping() as context:
        found = learning_curve(context, task, recipe, _numbers(shares, "--shares"), _numbers(more, "--more"))
    show(found, json, found.text)


def _numbers(text: str, option: str) -> list[int]:
    parts = [one.strip() for one in text.split(",")]
    if not all(one.isdecimal() and 0 < int(one) < 1_000_000 for one in parts):
        raise InputError(f"{option} is {text!r}: give whole numbers above 0, separated by commas.")
    return [int(one) for one in parts]
