"""Who is asking what: a claim is an answer key that a process has taken up. Grain: one row per key in flight.

Several processes, on several machines where the store is Postgres, work on one task and nothing is asked twice, since
a document is asked about by who holds its claim. A claim also reserves the most that the answer can cost: what was
spent and what is reserved together stay within the budget, whoever asks. It ends with the transaction that keeps the
answer. A process that died leaves claims that run out after `LEASE_S`, or at once when another process of the same
machine sees that it is gone (`forget_dead`).
"""

import contextlib
import os
import socket
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import sqlalchemy as sa

from records import runs
from records.store import Store
from records.tables import claims as table
from records.tables import labels as label_table
from records.tables import runs as run_table
from records.types import Outcome, now

LEASE_S = 90.0
"""Seconds until a claim runs out that nobody renews; a process renews its claims three times as often."""


@dataclass(frozen=True)
class Bounds:
    """Hard stops: US dollars the task may ever cost, and this run may; documents this run may ask about. None: none."""

    task_usd: float | None = None
    run_usd: float | None = None
    documents: int | None = None


@dataclass
class Taken:
    """What became of the wanted keys. `blocked`: the bound that stopped the rest, which is `left`; `final`: whether it
    does so for good, however cheap the answers in flight turn out.
    """

    mine: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)
    left: list[str] = field(default_factory=list)
    blocked: str | None = None
    final: bool = False


def owner() -> str:
    """A name for this process: machine, process id, and a word of its own."""
    return f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"


def take(
    store: Store,
    task: str,
    run: str,
    owner: str,
    wanted: Mapping[str, float],
    bounds: Bounds,
    again: Collection[Outcome] = (Outcome.failed,),
    lease_s: float = LEASE_S,
) -> Taken:
    """Claim the keys of `wanted` ({key: the most it can cost, US dollars}) that are open, in order, within the bounds.

    Open is what has no answer, or one whose outcome is in `again` and that this run did not get itself.
    """
    found = Taken()
    with store.begin_alone(f"claims of {task}") as db:
        db.execute(sa.delete(table).where(table.c.task == task, table.c.expires_at < now()))
        # In this order: an answer may be kept, and its claim end, between the two. Asked the other way round, Postgres
        # would show neither, and the document would be asked about twice.
        claimed = _claimed(db, wanted)
        found.known = _known(db, wanted, run, again)
        found.elsewhere = claimed - found.known
        room = _room(db, task, run, bounds)
        for key, highest in wanted.items():
            if key in found.known or key in found.elsewhere:
                continue
            if found.blocked is None:
                found.blocked = room.take(highest)
            (found.mine if found.blocked is None else found.left).append(key)
        found.final = room.documents == 0
        _insert(db, store, task, run, owner, {key: wanted[key] for key in found.mine}, lease_s)
    return found


def renew(store: Store, owner: str) -> None:
    """Say that this process is still at work on its claims. If the store is too busy for it, the next time will do."""
    with contextlib.suppress(sa.exc.OperationalError), store.begin() as db:
        db.execute(sa.update(table).where(table.c.owner == owner).values(expires_at=now() + timedelta(seconds=LEASE_S)))


def release(store: Store, owner: str) -> None:
    """Give up what this process claimed and did not answer."""
    with store.begin() as db:
        db.execute(sa.delete(table).where(table.c.owner == owner))


def end(db: sa.Connection, keys: Collection[str]) -> None:
    """End the claims of keys that are answered, within the transaction that keeps the answers."""
    db.execute(sa.delete(table).where(table.c.key.in_(list(keys))))


def forget_dead(store: Store, task: str) -> None:
    """End the claims of processes of this machine that are no more (kill -9)."""
    with store.begin_alone(f"claims of {task}") as db:
        owners = db.execute(sa.select(table.c.owner).where(table.c.task == task).distinct()).scalars().all()
        dead = [name for name in owners if is_dead(name)]
        if dead:
            db.execute(sa.delete(table).where(table.c.owner.in_(dead)))


def is_dead(owner: str) -> bool:
    """Whether a process of this machine is no more; of another machine's nothing is known."""
    machine, _, rest = owner.partition("/")
    number = rest.partition("/")[0]
    if machine != socket.gethostname() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@dataclass
class _Room:
    """What is left of each bound."""

    task_usd: float | None
    run_usd: float | None
    documents: int | None
    bounds: Bounds

    def take(self, usd: float) -> str | None:
        """Reserve one document; which bound stands in the way, or None."""
        if self.documents is not None and self.documents < 1:
            return f"limit of {self.bounds.documents} documents reached"
        if self.run_usd is not None and usd > self.run_usd:
            return f"budget of ${self.bounds.run_usd:g} for this run used up"
        if self.task_usd is not None and usd > self.task_usd:
            return f"budget of ${self.bounds.task_usd:g} used up"
        self.documents = None if self.documents is None else self.documents - 1
        self.run_usd = None if self.run_usd is None else self.run_usd - usd
        self.task_usd = None if self.task_usd is None else self.task_usd - usd
        return None


def _room(db: sa.Connection, task: str, run: str, bounds: Bounds) -> _Room:
    room = _Room(bounds.task_usd, bounds.run_usd, bounds.documents, bounds)
    if room.task_usd is not None:
        room.task_usd -= runs.spent_in(db, task) + _reserved(db, table.c.task == task)
    if room.run_usd is not None:
        room.run_usd -= runs.spent_in(db, task, run) + _reserved(db, table.c.run == run)
    if room.documents is not None:
        room.documents -= db.execute(sa.select(run_table.c.claimed).where(run_table.c.id == run)).scalar_one()
    return room


def _reserved(db: sa.Connection, where: sa.ColumnElement[bool]) -> float:
    query = sa.select(sa.func.coalesce(sa.func.sum(table.c.highest_usd), 0.0)).where(where)
    return float(db.execute(query).scalar_one())


def _known(db: sa.Connection, wanted: Collection[str], run: str, again: Collection[Outcome]) -> set[str]:
    done = label_table.c.outcome.not_in([outcome.value for outcome in again]) | (label_table.c.run == run)
    query = sa.select(label_table.c.key).where(label_table.c.key.in_(list(wanted)), done)
    return set(db.execute(query).scalars())


def _claimed(db: sa.Connection, wanted: Collection[str]) -> set[str]:
    return set(db.execute(sa.select(table.c.key).where(table.c.key.in_(list(wanted)))).scalars())


def _insert(
    db: sa.Connection, store: Store, task: str, run: str, owner: str, mine: Mapping[str, float], lease_s: float
) -> None:
    until = now() + timedelta(seconds=lease_s)
    rows = [
        {"key": key, "task": task, "run": run, "owner": owner, "highest_usd": usd, "expires_at": until}
        for key, usd in mine.items()
    ]
    store.add_many(db, table, rows)
    db.execute(sa.update(run_table).where(run_table.c.id == run).values(claimed=run_table.c.claimed + len(rows)))
