"""Why the teacher says what it says, in its own words. Grain: one row per question (see `prompts.rationale.key_of`).

What was paid for is kept with its charge in one transaction, and the claim on the question ends in it: kill -9 loses
what was in flight and nothing else. Shown to people beside a suggestion, and no part of anything that is trained on.

    Rationale(key="5d0c...", document_id="41d0c7a2b6e95f13", value="lease", text='It asks for the "renewal of ...".')
"""

from collections.abc import Collection, Iterator
from datetime import datetime

import sqlalchemy as sa
from pydantic import Field

from records import claims, runs
from records.runs import Charge
from records.store import Store, row_of
from records.tables import rationales as table
from records.types import Answer, Record, now

PURPOSE = "rationale"
_PAGE = 500


class Rationale(Record):
    """One. `prompt`: the fingerprint of the prompt that `value` answered; `text`: None where the model gave none,
    `error` says why. The cost is in the charge of the run, too.
    """

    key: str
    task: str
    document_id: str
    model: str
    prompt: str
    value: Answer
    text: str | None
    error: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    run: str
    created_at: datetime = Field(default_factory=now)


def keep(store: Store, said: Rationale) -> None:
    """Keep one, with its charge, and end the claim on it."""
    with store.begin() as db:
        store.add_one(db, table, row_of(said))
        runs.charge_in(db, store, _charge(said))
        claims.end(db, [said.key])


def give_up(store: Store, key: str, billed: Charge | None = None) -> None:
    """End the claim on a question that got no answer; what was billed all the same is charged."""
    with store.begin() as db:
        if billed is not None:
            runs.charge_in(db, store, billed)
        claims.end(db, [key])


def get(store: Store, keys: Collection[str]) -> dict[str, Rationale]:
    """Those of these questions that were answered, by key."""
    return {one.key: one for one in _rows(store, list(keys))}


def of_document(store: Store, task: str, document_id: str) -> list[Rationale]:
    """All about one document, oldest first."""
    query = sa.select(table).where(table.c.task == task, table.c.document_id == document_id)
    with store.read() as db:
        rows = db.execute(query.order_by(table.c.created_at))
        return [Rationale.model_validate(dict(row._mapping)) for row in rows]


def _rows(store: Store, keys: list[str]) -> Iterator[Rationale]:
    with store.read() as db:
        for start in range(0, len(keys), _PAGE):
            query = sa.select(table).where(table.c.key.in_(keys[start : start + _PAGE]))
            yield from (Rationale.model_validate(dict(row._mapping)) for row in db.execute(query))


def _charge(said: Rationale) -> Charge:
    return Charge(
        task=said.task,
        run=said.run,
        purpose=PURPOSE,
        model=said.model,
        prompt_tokens=said.prompt_tokens,
        completion_tokens=said.completion_tokens,
        cost_usd=said.cost_usd,
    )
