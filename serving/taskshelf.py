"""The tasks that the gateway answers: found by name in the store, read from their folders, kept until a file changes.

A task that is edited is used from the next request on. An edit that breaks it must not stop production: the version
before it goes on answering, and the log says so.
"""

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from prompts.task import Task, load_task
from records import taskbook
from records.errors import InputError, ServiceError
from records.store import Store

_log = logging.getLogger("retort.gateway")
_FILES = ("task.yaml", "guidelines.md")
_Stamp = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class _Kept:
    stamp: _Stamp
    task: Task


class TaskShelf:
    """Loaded tasks by name. Safe to use from several threads."""

    def __init__(self, store: Store) -> None:
        """`store` knows which folder belongs to a name."""
        self._store = store
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Task:
        """The task of this name.

        Raises InputError for a name that the store does not know, ServiceError for a task that never could be read.
        """
        folder = taskbook.folder(self._store, name)
        stamp = (str(folder), tuple(_changed(folder / file) for file in _FILES))
        with self._lock:
            kept = self._kept.get(name)
            if kept is None or kept.stamp != stamp:
                kept = self._kept[name] = _Kept(stamp, self._load(name, folder, kept))
        return kept.task

    def _load(self, name: str, folder: Path, before: _Kept | None) -> Task:
        try:
            task = load_task(folder)
            if task.name != name:
                raise InputError(f"{folder} now holds the task {task.name!r}, not {name!r}.")
        except InputError as fault:
            if before is None:
                raise ServiceError(f"the task {name!r} cannot be read: {fault}") from fault
            _log.error("%s: its folder has faults, the version before goes on answering: %s", name, fault)
            return before.task
        return task


def _changed(file: Path) -> int:
    """When a file was changed, in nanoseconds; 0 when it is not there."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
