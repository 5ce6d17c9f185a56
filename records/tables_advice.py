"""The tables of advice: what logs said of a task, and what was advised. `records.tables` has them all."""

from sqlalchemy import Column as C
from sqlalchemy import String, Table, Text

from records.columns import Moment, metadata
from records.columns import json as _json

measurements = Table(
    "measurements",
    metadata,
    C("task", String, primary_key=True),
    C("made_at", Moment, primary_key=True),
    C("source", Text, nullable=False),
    C("measured", _json, nullable=False),
)

advices = Table(
    "advices",
    metadata,
    C("task", String, primary_key=True),
    C("made_at", Moment, primary_key=True),
    C("recommendation", String, nullable=False),
    C("sentence", Text, nullable=False),
    C("answers", _json, nullable=False),
    C("advice", _json, nullable=False),
    C("report_path", Text),
)
