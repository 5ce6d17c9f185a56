"""The choosers of examples that the gateway asks the teacher with, kept until the task or its pool changes.

The same chooser over the same pool as in a labelling run, so the teacher is asked in production what it was asked then
(invariant 1). A pool that is frozen anew counts from the next request on. The pool's hash is looked up each time (one
small query), its documents only when it is another.
"""

import threading
from collections.abc import Mapping

from prompts.pool import Chooser, chooser, pool_hash
from prompts.task import Task
from records.store import Store


class ExampleShelf:
    """Choosers by task. Safe to use from several threads."""

    def __init__(self, store: Store, environ: Mapping[str, str]) -> None:
        """`environ`: where the key of an embedding model is looked up."""
        self._store, self._environ = store, environ
        self._kept: dict[str, tuple[tuple[str, str], Chooser | None]] = {}
        self._lock = threading.Lock()

    def get(self, task: Task) -> Chooser | None:
        """The task's chooser; None where its own examples are shown.

        Raises InputError for a pool that is not there, and for a key that is not set. Blocks while a new pool is read.
        """
        digest = pool_hash(self._store, task)
        if digest is None:
            return None
        stamp = (task.fingerprint, digest)
        with self._lock:
            kept = self._kept.get(task.name)
            if kept is None or kept[0] != stamp:
                kept = self._kept[task.name] = (stamp, chooser(self._store, task, self._environ))
        return kept[1]
