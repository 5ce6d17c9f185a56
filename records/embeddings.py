"""Vectors that an embedding model gave, so that none is paid for twice. Grain: one row per model, host and text.

A vector is kept as the 16-bit floats that it is used as (3 KB for 1,536 dimensions), and with it, in the same
transaction, what it cost: a kill leaves both or neither.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from records import runs
from records.runs import Charge
from records.store import Store
from records.tables import embeddings as table

_AT_ONCE = 500
"""Keys in one query: SQLite takes a bounded number of parameters."""


def key_of(model: str, host: str, text: str) -> str:
    """32 hex digits of what shapes a vector."""
    return hashlib.blake2b(json.dumps([model, host, text]).encode(), digest_size=16).hexdigest()


def known(store: Store, keys: Sequence[str]) -> dict[str, bytes]:
    """The vectors that are there, by key."""
    found: dict[str, bytes] = {}
    with store.read() as db:
        for at in range(0, len(keys), _AT_ONCE):
            query = sa.select(table).where(table.c.key.in_(keys[at : at + _AT_ONCE]))
            found |= {row.key: row.vector for row in db.execute(query)}
    return found


def keep(store: Store, vectors: Mapping[str, bytes], charge: Charge) -> None:
    """Keep the vectors of one call, and what it cost."""
    with store.begin() as db:
        for key, vector in vectors.items():
            store.add_one(db, table, {"key": key, "vector": vector})
        runs.charge_in(db, store, charge)
