"""The tables of the store, as SQLAlchemy Core. A column has the name of the record's field: a record is a row.

Changing this file, or a `records.tables_*`, means adding a migration under `records/migrations/versions/` (a test
compares the two).
"""

from sqlalchemy import Boolean, Float, Index, Integer, String, Table, Text
from sqlalchemy import Column as C
from sqlalchemy.types import BigInteger

from records.columns import Moment, metadata
from records.columns import json as _json
from records.tables_advice import advices, measurements
from records.tables_asking import batches, charges, claims, embeddings, pools, rationales, runs
from records.tables_gate import load_measurements, overrides
from records.tables_history import edits, label_names, suggestions
from records.tables_people import calibrations, desk_cursors, second_answers, second_looks
from records.tables_training import training_jobs

__all__ = [
    "advices",
    "batches",
    "calibrations",
    "charges",
    "claims",
    "corrections",
    "datasets",
    "desk_cursors",
    "desk_records",
    "document_bands",
    "documents",
    "edits",
    "embeddings",
    "label_names",
    "labels",
    "live",
    "load_measurements",
    "measurements",
    "metadata",
    "overrides",
    "pools",
    "rationales",
    "releases",
    "requests",
    "runs",
    "second_answers",
    "second_looks",
    "students",
    "suggestions",
    "tasks",
    "training_jobs",
    "verdicts",
]

tasks = Table(
    "tasks",
    metadata,
    C("name", String, primary_key=True),
    C("fingerprint", String, primary_key=True),
    C("folder", Text, nullable=False),
    C("definition", _json, nullable=False),
    C("seen_at", Moment, nullable=False),
)

documents = Table(
    "documents",
    metadata,
    C("task", String, primary_key=True),
    C("id", String, primary_key=True),
    C("text", Text, nullable=False),
    C("source", Text, nullable=False),
    C("external_id", Text),
    C("split", String, nullable=False),
    C("cluster", String, nullable=False),
    C("metadata", _json, nullable=False),
    C("created_at", Moment, nullable=False),
    Index("documents_by_split", "task", "split"),
    Index("documents_by_cluster", "task", "cluster"),
)

document_bands = Table(
    "document_bands",
    metadata,
    C("task", String, primary_key=True),
    C("band", BigInteger, primary_key=True),
    C("cluster", String, primary_key=True),
    C("document_id", String, nullable=False),
    sqlite_with_rowid=False,
)

labels = Table(
    "labels",
    metadata,
    C("key", String, primary_key=True),
    C("task", String, nullable=False),
    C("document_id", String, nullable=False),
    C("role", String, nullable=False),
    C("model", String, nullable=False),
    C("prompt", String, nullable=False),
    C("outcome", String, nullable=False),
    C("value", _json),
    C("confidence", Float),
    C("scores", _json, nullable=False),
    C("raw", Text),
    C("error", Text),
    C("prompt_tokens", Integer, nullable=False),
    C("completion_tokens", Integer, nullable=False),
    C("cost_usd", Float, nullable=False),
    C("latency_s", Float, nullable=False),
    C("created_at", Moment, nullable=False),
    C("run", String),
    C("reason", String),
    C("samples", _json),
    C("copied_from", String),
    Index("labels_by_document", "task", "role", "model", "document_id"),
)

desk_records = Table(
    "desk_records",
    metadata,
    C("task", String, primary_key=True),
    C("document_id", String, primary_key=True),
    C("round", Integer, nullable=False),
    C("reason", String, nullable=False),
    C("blind", Boolean, nullable=False),
    C("suggestion", _json),
    C("score", Float),
    C("sent_at", Moment, nullable=False),
    C("worth", Float),
    C("inclusion", Float),
)

corrections = Table(
    "corrections",
    metadata,
    C("task", String, primary_key=True),
    C("document_id", String, primary_key=True),
    C("reviewer", String, primary_key=True),
    C("value", _json),
    C("discarded", Boolean, nullable=False),
    C("suggestion", _json),
    C("answered_at", Moment, nullable=False),
)

datasets = Table(
    "datasets",
    metadata,
    C("task", String, primary_key=True),
    C("version", Integer, primary_key=True),
    C("hash", String, nullable=False),
    C("path", Text, nullable=False),
    C("rows", _json, nullable=False),
    C("manifest", _json, nullable=False),
    C("created_at", Moment, nullable=False),
    Index("datasets_by_hash", "task", "hash", unique=True),
)

students = Table(
    "students",
    metadata,
    C("hash", String, primary_key=True),
    C("task", String, nullable=False, index=True),
    C("dataset_version", Integer, nullable=False),
    C("base_model", Text, nullable=False),
    C("recipe", Text, nullable=False),
    C("path", Text, nullable=False),
    C("served_file", Text, nullable=False),
    C("model", Text),
    C("training", _json, nullable=False),
    C("created_at", Moment, nullable=False),
)

verdicts = Table(
    "verdicts",
    metadata,
    C("id", String, primary_key=True),
    C("task", String, nullable=False, index=True),
    C("student_hash", String, nullable=False),
    C("test_set_hash", String, nullable=False),
    C("rule_hash", String, nullable=False),
    C("decision", String, nullable=False),
    C("reasons", _json, nullable=False),
    C("report", _json, nullable=False),
    C("report_path", Text),
    C("created_at", Moment, nullable=False),
    C("prices_hash", String, nullable=False, server_default=""),
)

releases = Table(
    "releases",
    metadata,
    C("task", String, primary_key=True),
    C("number", Integer, primary_key=True),
    C("student_hash", String, nullable=False),
    C("verdict_id", String, nullable=False),
    C("created_at", Moment, nullable=False),
    C("replaced", Integer),
)

live = Table(
    "live",
    metadata,
    C("task", String, primary_key=True),
    C("number", Integer),
    C("changed_at", Moment, nullable=False),
)

requests = Table(
    "requests",
    metadata,
    C("id", String, primary_key=True),
    C("task", String, nullable=False),
    C("text", Text, nullable=False),
    C("value", _json),
    C("outcome", String, nullable=False),
    C("confidence", Float),
    C("model", String, nullable=False),
    C("release", Integer),
    C("fallback", Boolean, nullable=False),
    C("prompt_tokens", Integer, nullable=False),
    C("completion_tokens", Integer, nullable=False),
    C("cost_usd", Float, nullable=False),
    C("latency_s", Float, nullable=False),
    C("created_at", Moment, nullable=False),
    C("harvested", Boolean, nullable=False, server_default="0"),
    Index("requests_by_harvest", "task", "harvested"),
)
