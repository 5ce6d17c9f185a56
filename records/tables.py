"""The tables of the store, as SQLAlchemy Core. A column has the name of the record's field: a record is a row.

Changing this file means adding a migration under `records/migrations/versions/` (a test compares the two).
"""

from datetime import UTC, datetime

from sqlalchemy import JSON, Boolean, DateTime, Dialect, Float, Index, Integer, MetaData, String, Table, Text
from sqlalchemy import Column as C
from sqlalchemy.types import BigInteger, TypeDecorator


class Moment(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no time zone, so it is taken off on the way in and put back on the way out."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware -> naive UTC."""
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Naive UTC -> aware."""
        return value.replace(tzinfo=UTC) if value else None


metadata = MetaData()
_json = JSON(none_as_null=True)

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

runs = Table(
    "runs",
    metadata,
    C("id", String, primary_key=True),
    C("task", String, nullable=False),
    C("role", String, nullable=False),
    C("model", String, nullable=False),
    C("prompt", String, nullable=False),
    C("input_price", Float, nullable=False),
    C("output_price", Float, nullable=False),
    C("budget_usd", Float),
    C("began_at", Moment, nullable=False),
    C("ended_at", Moment),
    C("stopped", Text),
    C("claimed", Integer, nullable=False),
    C("answered", Integer, nullable=False),
    C("unreadable", Integer, nullable=False),
    C("refused", Integer, nullable=False),
    C("failed", Integer, nullable=False),
    C("prompt_tokens", Integer, nullable=False),
    C("completion_tokens", Integer, nullable=False),
    C("cost_usd", Float, nullable=False),
    Index("runs_by_task", "task"),
)

claims = Table(
    "claims",
    metadata,
    C("key", String, primary_key=True),
    C("task", String, nullable=False),
    C("run", String, nullable=False),
    C("owner", String, nullable=False),
    C("highest_usd", Float, nullable=False),
    C("expires_at", Moment, nullable=False),
    Index("claims_by_task", "task"),
)

charges = Table(
    "charges",
    metadata,
    C("id", String, primary_key=True),
    C("task", String, nullable=False),
    C("run", String, nullable=False),
    C("purpose", String, nullable=False),
    C("model", String, nullable=False),
    C("prompt_tokens", Integer, nullable=False),
    C("completion_tokens", Integer, nullable=False),
    C("cost_usd", Float, nullable=False),
    C("created_at", Moment, nullable=False),
    Index("charges_by_task", "task"),
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
)

releases = Table(
    "releases",
    metadata,
    C("task", String, primary_key=True),
    C("number", Integer, primary_key=True),
    C("student_hash", String, nullable=False),
    C("verdict_id", String, nullable=False),
    C("created_at", Moment, nullable=False),
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
