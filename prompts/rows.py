"""What a source is read into, before it is a document: a row, a fault with its reason, or something left out."""

from typing import Any, NamedTuple

MAX_FILE_BYTES = 50_000_000
"""Of a file that is read whole."""


class Row(NamedTuple):
    """A row and where it stands (`line 7`, `row 12`, `letters/a.pdf`)."""

    place: str
    values: dict[str, Any]


class Fault(NamedTuple):
    """A document that could not be read, and why."""

    place: str
    reason: str


class LeftOut(NamedTuple):
    """Something that is no document by its kind (`.xlsx`, `Langfuse SPAN`): counted, not read."""

    kind: str
