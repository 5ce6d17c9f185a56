"""What was handed to a provider's batch API. A batch takes hours, and outlives the process that handed it in.

Grain: one row per batch that was, or is about to be, handed in. A request that waits in a batch is a claim on its
answer key (table `claims`), held by the batch instead of by a process, and without an end: so nobody asks it live or
puts it into another batch, and the most it can cost counts as in flight, by the same rows as for live calls. The claim
ends in the transaction that keeps the answer, or when the batch is over. One real row:

    Batch(id="b5d1...", task="legal_intake", version="77c0...", role="teacher", model="openai/gpt-4.1-mini",
          prompt="a81b...", input_price=0.2, output_price=0.8, highest_usd=4.1, state="waiting", said="in_progress",
          provider_id="batch_68f0...", files=["file-9ab..."], requests=5000, ...)

    submitting -> waiting -> collected      all that came of it is in the ledger, what did not come is open again
               |          -> refused        the provider did not take it as a whole; `error` says why
               -> lost                      it never reached the provider
"""

import functools
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from pydantic import Field

from records.claims import is_dead, owner
from records.store import Store, row_of
from records.tables import batches as table
from records.tables import claims
from records.types import Record, Role, now

LEASE_S = 100 * 365 * 86_400.0
"""A claim of a batch ends with its answer or with the batch, not with time."""
_HANDING_IN = timedelta(hours=1)
"""Longer than handing in a batch can take, with all its retries."""


class BatchState(StrEnum):
    """Where a batch is. The first two wait, the others are over."""

    submitting = "submitting"
    waiting = "waiting"
    collected = "collected"
    refused = "refused"
    lost = "lost"


WAITING = (BatchState.submitting, BatchState.waiting)


class Batch(Record):
    """One batch at a provider. Grain: one per batch.

    `version`: the task's fingerprint at submission; `footing`: how its answers are to be read; prices: US dollars per
    million tokens, of the batch API, frozen; `said`: the provider's own word for its state; `files`: what lies at the
    provider and is to be deleted there; `requests`: how many; `documents`: {answer key: document id} until it is over;
    `counts`: replies by outcome; `owner`: the process that hands it in, empty when it gave it up.
    """

    id: str
    task: str
    version: str
    run: str
    role: Role
    model: str
    prompt: str
    api_base: str | None
    footing: dict[str, Any]
    input_price: float
    output_price: float
    highest_usd: float = 0.0
    state: BatchState = BatchState.submitting
    said: str = ""
    provider_id: str | None = None
    files: list[str] = Field(default_factory=list)
    requests: int = 0
    documents: dict[str, str] = Field(default_factory=dict)
    counts: dict[str, int] = Field(default_factory=dict)
    owner: str
    error: str | None = None
    submitted_at: datetime = Field(default_factory=now)
    checked_at: datetime | None = None
    ended_at: datetime | None = None


def holder(batch: str) -> str:
    """Who holds the claims of a batch: no machine and process, so that nobody takes it for one that died."""
    return f"batch/{batch}"


def begin(store: Store, batch: Batch) -> None:
    """Note a batch before anything is claimed for it."""
    with store.begin() as db:
        store.add_one(db, table, row_of(batch))


def fill(store: Store, batch: Batch, documents: Mapping[str, str]) -> Batch:
    """Note what was claimed for a batch, before it is handed in: {answer key: document id}."""
    filled = batch.model_copy(update={"documents": dict(documents), "requests": len(documents)})
    mine = sa.select(sa.func.coalesce(sa.func.sum(claims.c.highest_usd), 0.0)).where(claims.c.owner == holder(batch.id))
    with store.begin() as db:
        filled = filled.model_copy(update={"highest_usd": float(db.execute(mine).scalar_one())})
        store.put_one(db, table, row_of(filled))
    return filled


def save(store: Store, batch: Batch) -> Batch:
    """Keep what has changed in the batch as it is now, looked at now; its documents stay as they were reserved."""
    seen = batch.model_copy(update={"checked_at": now()})
    values = {name: value for name, value in row_of(seen).items() if name not in ("id", "documents")}
    with store.begin() as db:
        db.execute(sa.update(table).where(table.c.id == batch.id).values(values))
    return seen


def end(store: Store, batch: Batch, state: BatchState, error: str | None = None) -> Batch:
    """It is over: what got no answer is claimed no more, and open again."""
    over = batch.model_copy(update={"state": state, "error": error, "documents": {}, "ended_at": now()})
    with store.begin() as db:
        db.execute(sa.delete(claims).where(claims.c.owner == holder(batch.id)))
        store.put_one(db, table, row_of(over))
    return over


def batches(store: Store, task: str | None = None, states: Sequence[BatchState] = WAITING) -> list[Batch]:
    """The batches in these states (by default: that wait), of one task or of all, the oldest first.

    Without their documents, which `documents` gives.
    """
    columns = [column for column in table.c if column.name != "documents"]
    query = sa.select(*columns).where(table.c.state.in_(states)).order_by(table.c.submitted_at)
    if task is not None:
        query = query.where(table.c.task == task)
    with store.read() as db:
        return [Batch.model_validate(dict(row._mapping)) for row in db.execute(query)]


def documents(store: Store, batch: str) -> dict[str, str]:
    """The documents of a batch that is not over: {answer key: document id}."""
    with store.read() as db:
        found: dict[str, str] = db.execute(sa.select(table.c.documents).where(table.c.id == batch)).scalar_one()
    return found


def open_keys(store: Store, batch: Batch) -> set[str]:
    """The keys of a batch that have no answer yet."""
    with store.read() as db:
        return set(db.execute(sa.select(claims.c.key).where(claims.c.owner == holder(batch.id))).scalars())


def claimed(store: Store, keys: Collection[str]) -> set[str]:
    """Which of these keys wait in batches, or are being asked live by a run."""
    with store.read() as db:
        found = db.execute(sa.select(claims.c.key).where(claims.c.key.in_(list(keys)), claims.c.expires_at > now()))
        return set(found.scalars())


def waiting_usd(store: Store, task: str) -> float:
    """US dollars that what waits in a task's batches can cost at most."""
    mine = (claims.c.task == task) & claims.c.owner.startswith(holder(""))
    with store.read() as db:
        total = db.execute(sa.select(sa.func.coalesce(sa.func.sum(claims.c.highest_usd), 0.0)).where(mine))
        return float(total.scalar_one())


def provider_ids(store: Store) -> set[str]:
    """Every provider's id that a batch of ours has."""
    with store.read() as db:
        found = db.execute(sa.select(table.c.provider_id).where(table.c.provider_id.is_not(None)))
        return {str(id_) for id_ in found.scalars()}


@functools.cache
def process_name() -> str:
    """The name of this process, as that which hands in."""
    return owner()


def is_abandoned(batch: Batch) -> bool:
    """Whether nobody is handing in this batch any more: its process gave it up or is gone, or took too long."""
    if not batch.owner or now() - batch.submitted_at > _HANDING_IN:
        return True
    machine, number, _ = batch.owner.split("/")
    restarted = [machine, number] == process_name().split("/")[:2] and batch.owner != process_name()
    return restarted or is_dead(batch.owner)
