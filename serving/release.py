"""Promote a student to production and take it back: the live pointer in the store, with words for a person.

The rule itself (no release without an approved verdict that names this student) is `records.registry`'s, inside the
transaction that moves the pointer; here is what goes around it. The gateway follows from its next request on.
"""

from dataclasses import dataclass

from records import registry
from records.errors import StoreError
from records.overrides import Override
from records.store import Store
from records.types import Release


@dataclass(frozen=True)
class Move:
    """The pointer before and after; None is the teacher."""

    task: str
    before: Release | None
    after: Release | None

    @property
    def sentence(self) -> str:
        """What happened, for a person."""
        return f"{self.task}: {_shown(self.before)} -> {_shown(self.after)}, from the next request on."


def promote(store: Store, task: str, student_hash: str, verdict_id: str, override: Override | None = None) -> Move:
    """Make a student live. `student_hash`: all of it, or a beginning that only one student has.

    A verdict that is live already stays so: promoting twice changes nothing. `override`: a person's decision against a
    verdict that does not approve. Raises NotApproved unless the verdict is about this student, and approved or
    overridden; StoreError for an unknown student.
    """
    student = registry.student(store, student_hash)
    if student.task != task:
        raise StoreError(f"student {student.hash[:12]} was trained for {student.task}, not for {task}.")
    before = registry.live(store, task)
    if before and (before.student_hash, before.verdict_id) == (student.hash, verdict_id):
        return Move(task, before, before)
    return Move(task, before, registry.release(store, task, student.hash, verdict_id, override))


def roll_back(store: Store, task: str) -> Move:
    """Point to the release before the live one, or to the teacher. Raises StoreError when nothing is live."""
    before = registry.live(store, task)
    return Move(task, before, registry.rollback(store, task))


def _shown(release: Release | None) -> str:
    return f"{release.name} (student-{release.student_hash[:12]})" if release else "the teacher"
