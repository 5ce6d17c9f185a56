"""The tables of second looks (what was sent for one, who answered it, up to where a board was read), and of how a
teacher's confidence is read by people's answers.

`records.tables` has them all.
"""

from sqlalchemy import Boolean, Float, Integer, String, Table, Text
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

calibrations = Table(
    "calibrations",
    metadata,
    C("task", String, primary_key=True),
    C("model", String, primary_key=True),
    C("prompt", String, primary_key=True),
    C("number", Integer, primary_key=True),
    C("slope", Float, nullable=False),
    C("intercept", Float, nullable=False),
    C("low", Float, nullable=False),
    C("high", Float, nullable=False),
    C("answers", Integer, nullable=False),
    C("right", Integer, nullable=False),
    C("made_at", Moment, nullable=False),
)
