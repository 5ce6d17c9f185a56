"""The tables of the gate beside verdicts: what people decided against them, how fast endpoints were measured.

`records.tables` has them all.
"""

from sqlalchemy import Column as C
from sqlalchemy import Index, String, Table, Text

from records.columns import Moment, metadata
from records.columns import json as _json

overrides = Table(
    "overrides",
    metadata,
    C("id", String, primary_key=True),
    C("task", String, nullable=False),
    C("verdict_id", String, nullable=False),
    C("student_hash", String, nullable=False),
    C("by", String, nullable=False),
    C("reason", Text, nullable=False),
    C("created_at", Moment, nullable=False),
    Index("overrides_by_verdict", "verdict_id"),
)

load_measurements = Table(
    "load_measurements",
    metadata,
    C("id", String, primary_key=True),
    C("task", String, nullable=False),
    C("student_hash", String, nullable=False),
    C("measured_as", Text, nullable=False),
    C("load", _json, nullable=False),
    C("reason", Text, nullable=False),
    C("by", String, nullable=False),
    C("created_at", Moment, nullable=False),
    Index("load_measurements_by_student", "student_hash"),
)
