"""Two looks at frozen datasets, without a run: what differs between two versions, and a version's card."""

from pathlib import Path

from pydantic import BaseModel

from flows.context import Context, find_task, task_name
from records import registry
from records.errors import InputError, RetortError
from records.types import DatasetVersion
from training.card import CARD
from training.dataset import read_manifest
from training.difference import Difference, compare


class Card(BaseModel):
    """A dataset version's card as it lies beside the rows."""

    task: str
    version: int
    path: str
    text: str


def dataset_difference(context: Context, task: str, old: int, new: int) -> Difference:
    """What version `new` of a task's dataset has that `old` has not, and the reverse. Raises InputError."""
    name = task_name(context, task)
    try:
        names = {said: label for label, said in find_task(context, task).said.items()}
    except RetortError:  # a broken task.yaml must not hide what was frozen
        names = {}
    first, second = (dataset_version(context, name, version) for version in (old, new))
    return compare(Path(first.path), Path(second.path), names)


def dataset_card(context: Context, task: str, version: int) -> Card:
    """The card of a version (0: the newest). Raises InputError where there is none."""
    found = dataset_version(context, task_name(context, task), version)
    read_manifest(Path(found.path))
    path = Path(found.path) / CARD
    if not path.is_file():
        raise InputError(f"dataset {found.version} of {found.task} was frozen before there were cards: freeze anew.")
    return Card(task=found.task, version=found.version, path=str(path), text=path.read_text(encoding="utf-8"))


def dataset_version(context: Context, name: str, version: int) -> DatasetVersion:
    """A version of a task's dataset (0: the newest). Raises InputError that names those there are."""
    known = registry.dataset_versions(context.store, name)
    found = [one for one in known if one.version == version] if version else known[-1:]
    if not found:
        there = ", ".join(str(one.version) for one in known) or "none"
        which = f" {version}" if version else ""
        raise InputError(f"{name} has no dataset version{which}: there are {there}. `retort train` makes one.")
    return found[0]
