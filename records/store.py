"""Where everything is kept: one database, SQLite by default, Postgres by URL.

    store = Store.open("sqlite:///.retort/retort.db")      # creates and migrates it
    with store.begin() as db: ...                          # one transaction
    with store.read() as db: ...

SQLite runs in WAL mode, so that a gateway reads while a labelling run writes; several processes may open the same
file. Commits are synchronous (SQLite's default): an answer that was paid for survives kill -9 and a power cut.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql, sqlite

from records.errors import EnvironmentFault, StoreError
from records.types import Record

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_SECONDS = 30


class Store:
    """An open database. Cheap to share between threads; open one per process."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use `Store.open`; this takes an engine that is already migrated."""
        self._engine = engine
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert

    @classmethod
    def open(cls, url: str) -> "Store":
        """Open the database at `url` (SQLAlchemy's form), creating and migrating it as needed.

        Raises EnvironmentFault when it cannot be opened, StoreError when it was written by a newer Retort.
        """
        try:
            engine = _engine(url)
            _migrate(engine)
        except (sa.exc.OperationalError, sa.exc.ArgumentError, OSError) as fault:
            shown = _without_password(url)
            raise EnvironmentFault(f"cannot open the store {shown}: {fault}. Check RETORT_STORE_URL.") from fault
        return cls(engine)

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """One transaction: all of it or nothing."""
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def begin_alone(self, what: str) -> Iterator[sa.Connection]:
        """One transaction that no other of this name overlaps: what it reads is still so when it writes.

        SQLite has one writer at a time, and is told at once that this is one: a transaction that reads first and
        writes later would fail where another wrote in between. Postgres locks the name until the commit.
        """
        with self._engine.begin() as connection:
            if self._engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:what))"), {"what": what})
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection to read from."""
        with self._engine.connect() as connection:
            yield connection

    def add(self, table: sa.Table, rows: Iterable[dict[str, Any]]) -> int:
        """Insert the rows whose key is new, leave the others alone; how many were new."""
        with self.begin() as db:
            return self.add_many(db, table, list(rows))

    def add_many(self, db: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> int:
        """Insert rows in one statement, leaving those alone whose key is known; how many were new."""
        return db.execute(self._insert(table).on_conflict_do_nothing(), rows).rowcount if rows else 0

    def put_many(self, db: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
        """Insert rows in one statement, overwriting those that have their key."""
        if not rows:
            return
        keys = [column.name for column in table.primary_key]
        insert = self._insert(table)
        rest = {name: insert.excluded[name] for name in rows[0] if name not in keys}
        db.execute(insert.on_conflict_do_update(index_elements=keys, set_=rest), rows)

    def add_one(self, db: sa.Connection, table: sa.Table, row: dict[str, Any]) -> int:
        """Insert one row unless its key is known: 1 or 0."""
        return db.execute(self._insert(table).values(row).on_conflict_do_nothing()).rowcount

    def put_one(self, db: sa.Connection, table: sa.Table, row: dict[str, Any]) -> None:
        """Insert one row, or overwrite the one that has its key."""
        keys = [column.name for column in table.primary_key]
        rest = {name: value for name, value in row.items() if name not in keys}
        db.execute(self._insert(table).values(row).on_conflict_do_update(index_elements=keys, set_=rest))

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()


def row_of(record: Record) -> dict[str, Any]:
    """A record as a row: nested values stay Python objects, which the JSON columns write."""
    return record.model_dump()


def _without_password(url: str) -> str:
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except sa.exc.ArgumentError:
        return "(not a database URL)"


def _engine(url: str) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed, pool_pre_ping=True)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed, connect_args={"timeout": _BUSY_SECONDS})
    sa.event.listen(engine, "connect", _use_wal)
    return engine


def _use_wal(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")


def _migrate(engine: sa.Engine) -> None:
    """Bring the schema to the newest version; a no-op of a few milliseconds when it is there already."""
    head = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current == head:
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # Two processes may open a new store at once: the second waits here and then finds it done.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except Exception as fault:
            if "Can't locate revision" in str(fault):
                raise StoreError(f"the store has schema {current}, newer than this Retort: update Retort.") from fault
            raise
        connection.commit()
