"""Argilla's SQLite file, read-only, from a few threads: how the search engine asks its questions.

One connection a thread, each statement in autocommit, so every question sees all that was committed before it.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from review.embedded import text

Row = tuple[Any, ...]
_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="embedded-search")
_local = threading.local()


def file_of(url: str) -> str:
    """The file that an SQLite URL of Argilla's names. Raises ValueError for any other database."""
    scheme, _, rest = url.partition(":///")
    if not scheme.lower().startswith("sqlite") or not rest:
        kind = scheme.split(":")[0]
        raise ValueError(f"the embedded search engine reads SQLite only, not {kind}: use Elasticsearch with it.")
    return rest.split("?")[0]


async def rows(file: str, statement: str, values: Sequence[Any] = ()) -> list[Row]:
    """All rows of one statement, without blocking the server's event loop."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _rows, file, statement, values)


def _rows(file: str, statement: str, values: Sequence[Any]) -> list[Row]:
    return _connection(file).execute(statement, values).fetchall()


def _connection(file: str) -> sqlite3.Connection:
    connections: dict[str, sqlite3.Connection] = _local.__dict__.setdefault("connections", {})
    if file not in connections:
        connections[file] = _open(file)
    return connections[file]


def _open(file: str) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=30, isolation_level=None)
    for setting in ("query_only = 1", "mmap_size = 1073741824", "cache_size = -65536"):
        connection.execute(f"PRAGMA {setting}")
    connection.create_function("text_occurs", 3, text.occurs, deterministic=True)
    return connection
