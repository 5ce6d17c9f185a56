"""Dataset versions, students, verdicts and releases, and the live pointer: which release answers in production.

The pointer moves in one transaction, and only to a release whose verdict is approved and names this very student
(invariant 4), or that a person released all the same, with a name and a reason that are kept in the same transaction.
A null pointer means: the teacher answers.
"""

import sqlalchemy as sa

from records import tables
from records.errors import NotApproved, StoreError
from records.overrides import Override, is_overridden, keep
from records.store import Store, row_of
from records.types import DatasetVersion, Decision, Release, Student, Verdict, now


def add_dataset(store: Store, version: DatasetVersion) -> None:
    """Keep a dataset version. Raises StoreError when the number is taken by another content."""
    if not store.add(tables.datasets, [row_of(version)]) and dataset(store, version.task, version.version) != version:
        raise StoreError(f"dataset {version.version} of {version.task} exists with another content; use a new number.")


def dataset(store: Store, task: str, version: int) -> DatasetVersion | None:
    """One dataset version."""
    return next((d for d in dataset_versions(store, task) if d.version == version), None)


def dataset_versions(store: Store, task: str) -> list[DatasetVersion]:
    """All dataset versions of a task, oldest first."""
    query = sa.select(tables.datasets).where(tables.datasets.c.task == task).order_by(tables.datasets.c.version)
    with store.read() as db:
        return [DatasetVersion.model_validate(dict(r._mapping)) for r in db.execute(query)]


def add_student(store: Store, new: Student) -> None:
    """Keep a student; the same hash again changes nothing."""
    store.add(tables.students, [row_of(new)])


def student(store: Store, hash_: str) -> Student:
    """A student by (the beginning of) its hash. Raises StoreError when none or several match."""
    query = sa.select(tables.students).where(tables.students.c.hash.startswith(hash_, autoescape=True))
    with store.read() as db:
        found = [Student.model_validate(dict(r._mapping)) for r in db.execute(query)]
    if len(found) != 1:
        raise StoreError(f"{len(found)} students have a hash that begins with {hash_!r}; `retort status` lists them.")
    return found[0]


def task_students(store: Store, task: str) -> list[Student]:
    """All students of a task, oldest first."""
    query = sa.select(tables.students).where(tables.students.c.task == task).order_by(tables.students.c.created_at)
    with store.read() as db:
        return [Student.model_validate(dict(r._mapping)) for r in db.execute(query)]


def add_verdict(store: Store, verdict: Verdict) -> None:
    """Keep a verdict; verdicts are never changed."""
    store.add(tables.verdicts, [row_of(verdict)])


def task_verdicts(store: Store, task: str) -> list[Verdict]:
    """All verdicts of a task, oldest first."""
    query = sa.select(tables.verdicts).where(tables.verdicts.c.task == task).order_by(tables.verdicts.c.created_at)
    with store.read() as db:
        return [Verdict.model_validate(dict(r._mapping)) for r in db.execute(query)]


def release(store: Store, task: str, student_hash: str, verdict_id: str, override: Override | None = None) -> Release:
    """Make a student live, in one transaction; `override` is kept in the same one.

    Raises NotApproved unless the verdict exists, names this task and this student, and is approved or overridden.
    """
    with store.begin() as db:
        if override is not None:
            keep(store, db, override, (task, student_hash, verdict_id))
        _check(db, task, student_hash, verdict_id)
        last = db.execute(
            sa.select(sa.func.max(tables.releases.c.number)).where(tables.releases.c.task == task)
        ).scalar()
        before = _live_number(db, task)
        new = Release(
            task=task, number=(last or 0) + 1, student_hash=student_hash, verdict_id=verdict_id, replaced=before
        )
        db.execute(sa.insert(tables.releases).values(row_of(new)))
        _point(store, db, task, new.number)
    return new


def _check(db: sa.Connection, task: str, student_hash: str, verdict_id: str) -> None:
    found = db.execute(sa.select(tables.verdicts).where(tables.verdicts.c.id == verdict_id)).first()
    if found is None:
        raise NotApproved(f"there is no verdict {verdict_id!r}: run the release step, which measures first.")
    verdict = Verdict.model_validate(dict(found._mapping))
    if (verdict.task, verdict.student_hash) != (task, student_hash):
        raise NotApproved(
            f"verdict {verdict_id} is about student {verdict.student_hash[:12]} of {verdict.task}, "
            f"not {student_hash[:12]} of {task}."
        )
    if verdict.decision != Decision.approved and not is_overridden(db, student_hash, verdict_id):
        raise NotApproved(f"verdict {verdict_id} says {verdict.decision.value}: {' '.join(verdict.reasons)}")


def _live_number(db: sa.Connection, task: str) -> int | None:
    number: int | None = db.execute(sa.select(tables.live.c.number).where(tables.live.c.task == task)).scalar()
    return number


def _point(store: Store, db: sa.Connection, task: str, number: int | None) -> None:
    store.put_one(db, tables.live, {"task": task, "number": number, "changed_at": now()})


def releases(store: Store, task: str) -> list[Release]:
    """All releases of a task, oldest first."""
    query = sa.select(tables.releases).where(tables.releases.c.task == task).order_by(tables.releases.c.number)
    with store.read() as db:
        return [Release.model_validate(dict(r._mapping)) for r in db.execute(query)]


def live(store: Store, task: str) -> Release | None:
    """The release that answers in production now; None: the teacher does."""
    query = (
        sa.select(tables.releases)
        .join(
            tables.live,
            (tables.live.c.task == tables.releases.c.task) & (tables.live.c.number == tables.releases.c.number),
        )
        .where(tables.live.c.task == task)
    )
    with store.read() as db:
        found = db.execute(query).first()
    return Release.model_validate(dict(found._mapping)) if found else None


def lived(store: Store, task: str) -> list[Release]:
    """The live release, then the one that was live before it, and so on; those that were taken back are not in it."""
    known, found = {one.number: one for one in releases(store, task)}, []
    at = live(store, task)
    while at is not None:
        found.append(at)
        at = known.get(at.replaced or 0)
    return found


def rollback(store: Store, task: str) -> Release | None:
    """Point to the release that was live before the live one, or to the teacher (None) where that was.

    A release that was taken back once is not gone back to. Raises StoreError when nothing is live.
    """
    with store.begin() as db:
        number = _live_number(db, task)
        if number is None:
            raise StoreError(f"nothing to roll back: no student of {task} is live, the teacher answers already.")
        before = sa.select(tables.releases.c.replaced).where(
            tables.releases.c.task == task, tables.releases.c.number == number
        )
        _point(store, db, task, db.execute(before).scalar())
    return live(store, task)
