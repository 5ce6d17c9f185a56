"""The tables of what was said in the course of time. `records.tables` has them all.

`edits`: every answer a person gave, also those they changed later. `suggestions`: what the desk showed beside a
document after its first suggestion, which `desk_records` has. `label_names`: what became of labels there were.
"""

from sqlalchemy import Boolean, Float, String, Table
from sqlalchemy import Column as C

from records.columns import Moment, metadata
from records.columns import json as _json

edits = Table(
    "edits",
    metadata,
    C("task", String, primary_key=True),
    C("document_id", String, primary_key=True),
    C("reviewer", String, primary_key=True),
    C("answered_at", Moment, primary_key=True),
    C("value", _json),
    C("discarded", Boolean, nullable=False),
    C("suggestion", _json),
)

suggestions = Table(
    "suggestions",
    metadata,
    C("task", String, primary_key=True),
    C("document_id", String, primary_key=True),
    C("shown_at", Moment, primary_key=True),
    C("model", String, nullable=False),
    C("value", _json),
    C("score", Float),
)

label_names = Table(
    "label_names",
    metadata,
    C("task", String, primary_key=True),
    C("old", String, primary_key=True),
    C("new", String),
)
