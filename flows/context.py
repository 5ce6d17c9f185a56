"""What every step of the circle stands on: the settings, the open store, and somebody to tell of the progress.

A step is a plain function whose first argument is a `Context`. The command line calls steps directly; a flow calls
the same steps as Prefect tasks (`flows.reporting.as_task`). So a run from the UI does what the command line does.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ParamSpec, Protocol, TypeVar
from urllib.parse import urlsplit

from pydantic import Field

from flows.settings import PROJECT, Settings, settings
from prompts.privacy import check_host, check_url
from prompts.task import Task, load_task
from records import label_names, taskbook
from records.errors import InputError
from records.hosts import host_of
from records.progress import Progress
from records.store import Store

P = ParamSpec("P")
R = TypeVar("R")

TaskName = Annotated[str, Field(min_length=1)]
"""The first field of every form. Its bounds stand in the annotation; Prefect takes descriptions from the docstrings."""


@dataclass(frozen=True)
class Context:
    """The workplace of a step."""

    settings: Settings
    store: Store
    progress: Progress


@contextmanager
def workplace(progress: Progress, chosen: Settings | None = None) -> Iterator[Context]:
    """Open the store of these settings (by default: those of the environment), and close it afterwards."""
    chosen = chosen or settings()
    chosen.folder()
    store = Store.open(chosen.store)
    try:
        yield Context(chosen, store, progress)
    finally:
        store.close()


class Runner(Protocol):
    """How a step is run: `call`, or `flows.reporting.as_task`."""

    def __call__(self, step: Callable[P, R], /) -> Callable[P, R]:
        """The step, ready to be called with its own arguments."""


def call(step: Callable[P, R]) -> Callable[P, R]:
    """The command line's way to run a step: just call it."""
    return step


def find_task(context: Context, task: str) -> Task:
    """The task of this name (in `prompts/`, or used before) or in this folder; its version is noted in the store.

    Raises InputError when there is none, when its definition has faults, or when its privacy forbids a place of ours.
    """
    loaded = load_task(_folder(context, task))
    _check_places(context.settings, loaded)
    taskbook.remember(context.store, loaded.name, loaded.fingerprint, loaded.folder, loaded.definition)
    label_names.remember(context.store, loaded.name, loaded.became, loaded.labels)
    return loaded


def task_name(context: Context, task: str) -> str:
    """The name that a task's records stand under, from its name or folder. One that was used needs no readable folder:
    a broken task.yaml must not stand in the way of a rollback. Raises InputError for an unknown one.
    """
    return task if task in taskbook.names(context.store) else find_task(context, task).name


def _check_places(settings: Settings, task: Task) -> None:
    """Refuse a task that says `privacy: self_hosted` where desk, store or Prefect are elsewhere. Raises InputError."""
    check_url(task, settings.desk, "review desk")
    check_host(task, urlsplit(settings.store).hostname or "localhost", "store")
    if task.document.link:  # followed by reviewers' browsers, with a name in it
        check_host(task, host_of(task.document.link), "link to the files (document.link)")
    check_url(task, os.environ.get("PREFECT_API_URL") or settings.prefect_api, "Prefect server")


def _folder(context: Context, task: str) -> Path:
    if "/" in task or (Path(task) / "task.yaml").is_file():
        return Path(task).expanduser()
    shipped = PROJECT / "prompts" / task
    if (shipped / "task.yaml").is_file():
        return shipped
    try:
        return taskbook.folder(context.store, task)
    except InputError as unknown:
        raise InputError(
            f"{unknown} Give the path of a folder with a task.yaml, or a name in {shipped.parent}."
        ) from None
