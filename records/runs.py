"""Runs of asking, and what they cost beside the labels. Grain: one row per run; one per charge.

A run counts what it does in the transaction that keeps the answers, so that its sums are true at any moment, for every
process that reads them: the budget, the progress of several workers. Always: runs = labels + charges, to the token.
"""

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from pydantic import Field

from records.store import Store, row_of
from records.tables import charges as charge_table
from records.tables import runs as table
from records.types import Label, Record, Role, now


class Run(Record):
    """One asking of many documents, at the prices it began with (US dollars per million tokens). Grain: one per run.

    `claimed`: documents taken up; then outcomes, tokens and dollars, of all its processes.
    """

    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    task: str
    role: Role
    model: str
    prompt: str
    input_price: float
    output_price: float
    budget_usd: float | None = None
    began_at: datetime = Field(default_factory=now)
    ended_at: datetime | None = None
    stopped: str | None = None
    claimed: int = 0
    answered: int = 0
    unreadable: int = 0
    refused: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0

    @property
    def asked(self) -> int:
        """Documents it is done with."""
        return self.answered + self.unreadable + self.refused + self.failed


class Charge(Record):
    """Tokens paid for beside the labels: `footing` (what scoring stands on), `replaced` (an answer asked anew),
    `rationale` (why the teacher answered as it did).
    """

    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    task: str
    run: str
    purpose: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    created_at: datetime = Field(default_factory=now)


def begin(store: Store, run: Run) -> Run:
    """Keep a new run."""
    with store.begin() as db:
        store.add_one(db, table, row_of(run))
    return run


def end(store: Store, run: str, stopped: str | None) -> None:
    """Note that a run is over, and why it stopped early, if it did."""
    with store.begin() as db:
        db.execute(sa.update(table).where(table.c.id == run).values(ended_at=now(), stopped=stopped))


def get(store: Store, run: str) -> Run:
    """A run as it stands now."""
    with store.read() as db:
        return Run.model_validate(dict(db.execute(sa.select(table).where(table.c.id == run)).one()._mapping))


def count(db: sa.Connection, run: str, labels: Sequence[Label]) -> None:
    """Add answers to a run's sums, within the transaction that keeps them."""
    outcomes = Counter(label.outcome.value for label in labels)
    sums = {
        "prompt_tokens": sum(label.prompt_tokens for label in labels),
        "completion_tokens": sum(label.completion_tokens for label in labels),
        "cost_usd": sum(label.cost_usd for label in labels),
    }
    add = {name: table.c[name] + n for name, n in {**outcomes, **sums}.items()}
    db.execute(sa.update(table).where(table.c.id == run).values(add))


def charge(store: Store, charge: Charge) -> None:
    """Keep a charge, and add it to its run's sums."""
    with store.begin() as db:
        charge_in(db, store, charge)


def charge_in(db: sa.Connection, store: Store, charge: Charge) -> None:
    """The same, in a transaction of the caller's."""
    add = {name: table.c[name] + getattr(charge, name) for name in ("prompt_tokens", "completion_tokens", "cost_usd")}
    store.add_one(db, charge_table, row_of(charge))
    db.execute(sa.update(table).where(table.c.id == charge.run).values(add))


def move_to_charges(db: sa.Connection, store: Store, replaced: Sequence[Label]) -> None:
    """Keep what answers cost that are about to be replaced: paid is paid, and their run has counted it."""
    rows = [
        Charge(
            task=label.task,
            run=label.run or "",
            purpose="replaced",
            model=label.model,
            prompt_tokens=label.prompt_tokens,
            completion_tokens=label.completion_tokens,
            cost_usd=label.cost_usd,
        )
        for label in replaced
        if label.prompt_tokens or label.completion_tokens or label.cost_usd
    ]
    store.add_many(db, charge_table, [row_of(row) for row in rows])


def charges(store: Store, task: str) -> list[Charge]:
    """A task's charges, oldest first."""
    query = sa.select(charge_table).where(charge_table.c.task == task).order_by(charge_table.c.created_at)
    with store.read() as db:
        return [Charge.model_validate(dict(row._mapping)) for row in db.execute(query)]


def spent(store: Store, task: str) -> float:
    """US dollars paid for a task so far: its answers and charges, in all roles."""
    with store.read() as db:
        return spent_in(db, task)


def spent_in(db: sa.Connection, task: str, run: str | None = None) -> float:
    """The same within a transaction; of one run, if given."""
    query = sa.select(sa.func.coalesce(sa.func.sum(table.c.cost_usd), 0.0)).where(table.c.task == task)
    return float(db.execute(query if run is None else query.where(table.c.id == run)).scalar_one())
