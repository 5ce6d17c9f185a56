"""The tables of second looks: what was sent for one, who answered it, and up to where a board was read.

`records.tables` has them all.
"""

from sqlalchemy import Boolean, String, Table, Text
from sqlalchemy import Column as C

from records.columns import Moment, metadata
from records.columns import json as _json

second_looks = Table(
    "second_looks",
    metadata,
    C("task", String, primary_key=True),
    C("document_id", String, primary_key=True),
    C("queue", String, primary_key=True),
    C("reason", Text, nullable=False),
    C("said", _json, nullable=False),
    C("sent_at", Moment, nullable=False),
)

second_answers = Table(
    "second_answers",
    metadata,
    C("task", String, primary_key=True),
    C("document_id", String, primary_key=True),
    C("queue", String, primary_key=True),
    C("reviewer", String, primary_key=True),
    C("answered_at", Moment, primary_key=True),
    C("value", _json),
    C("discarded", Boolean, nullable=False),
)

desk_cursors = Table(
    "desk_cursors",
    metadata,
    C("board", String, primary_key=True),
    C("task", String, nullable=False),
    C("cursor", Moment, nullable=False),
)
