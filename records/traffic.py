"""Production requests and their answers. Grain: one row per sampled request."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import sqlalchemy as sa

from records.store import Store, row_of
from records.tables import requests as table
from records.types import Outcome, Request

_PAGE = 2_000


class Asked(NamedTuple):
    """Of a request what is measured. `at`: seconds since 1970; `by_teacher`: no student answered it."""

    at: float
    text: str
    outcome: Outcome
    model: str
    by_teacher: bool
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    latency_s: float


def record(store: Store, rows: Iterable[Request]) -> int:
    """Keep requests, in one transaction; how many were new."""
    return store.add(table, [row_of(r) for r in rows])


def requests(store: Store, task: str) -> list[Request]:
    """All recorded requests of a task, oldest first."""
    return _select(store, table.c.task == task, None)


def stream(store: Store, task: str) -> Iterator[Asked]:
    """All recorded requests of a task, page by page: a million of them are never held at once."""
    c = table.c
    columns = (c.created_at, c.text, c.outcome, c.model, c.release, c.fallback)
    query = sa.select(*columns, c.prompt_tokens, c.completion_tokens, c.cost_usd, c.latency_s).where(c.task == task)
    with store.read() as db:
        for row in db.execution_options(yield_per=_PAGE).execute(query):
            at, text, outcome, model, release, fallback, *numbers = row
            yield Asked(at.timestamp(), text, Outcome(outcome), model, release is None or fallback, *numbers)


def unharvested(store: Store, task: str, limit: int | None = None) -> list[Request]:
    """Requests that have not come back as documents yet, oldest first."""
    return _select(store, (table.c.task == task) & table.c.harvested.is_(False), limit)


def volume(store: Store, task: str) -> tuple[int, float]:
    """How many requests were recorded, and the days between the first and the last of them."""
    query = sa.select(sa.func.count(), sa.func.min(table.c.created_at), sa.func.max(table.c.created_at))
    with store.read() as db:
        count, first, last = db.execute(query.where(table.c.task == task)).one()
    return int(count), (last - first).total_seconds() / 86_400 if count else 0.0


def mark_harvested(store: Store, ids: Iterable[str]) -> None:
    """Note that these requests are documents now."""
    with store.begin() as db:
        for id_ in ids:
            db.execute(sa.update(table).where(table.c.id == id_).values(harvested=True))


def _select(store: Store, where: sa.ColumnElement[bool], limit: int | None) -> list[Request]:
    columns = [c for c in table.c if c.name != "harvested"]
    query = sa.select(*columns).where(where).order_by(table.c.created_at).limit(limit)
    with store.read() as db:
        return [Request.model_validate(dict(r._mapping)) for r in db.execute(query)]
