"""The tables of asking: runs and what they cost, claims, reasons, batches, examples. `records.tables` has them all."""

from sqlalchemy import Column as C
from sqlalchemy import Float, Index, Integer, LargeBinary, String, Table, Text

from records.columns import Moment, metadata
from records.columns import json as _json

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

rationales = Table(
    "rationales",
    metadata,
    C("key", String, primary_key=True),
    C("task", String, nullable=False),
    C("document_id", String, nullable=False),
    C("model", String, nullable=False),
    C("prompt", String, nullable=False),
    C("value", _json, nullable=False),
    C("text", Text),
    C("error", Text),
    C("prompt_tokens", Integer, nullable=False),
    C("completion_tokens", Integer, nullable=False),
    C("cost_usd", Float, nullable=False),
    C("run", String, nullable=False),
    C("created_at", Moment, nullable=False),
    Index("rationales_by_document", "task", "document_id"),
)

batches = Table(
    "batches",
    metadata,
    C("id", String, primary_key=True),
    C("task", String, nullable=False),
    C("version", String, nullable=False),
    C("run", String),
    C("role", String, nullable=False),
    C("model", String, nullable=False),
    C("prompt", String, nullable=False),
    C("api_base", Text),
    C("footing", _json, nullable=False),
    C("input_price", Float, nullable=False),
    C("output_price", Float, nullable=False),
    C("highest_usd", Float, nullable=False),
    C("state", String, nullable=False),
    C("said", String, nullable=False),
    C("provider_id", String),
    C("files", _json, nullable=False),
    C("requests", Integer, nullable=False),
    C("documents", _json, nullable=False),
    C("counts", _json, nullable=False),
    C("owner", String, nullable=False),
    C("error", Text),
    C("submitted_at", Moment, nullable=False),
    C("checked_at", Moment),
    C("ended_at", Moment),
)

pools = Table(
    "pools",
    metadata,
    C("task", String, primary_key=True),
    C("version", Integer, primary_key=True),
    C("hash", String, nullable=False),
    C("pairs", _json, nullable=False),
    C("created_at", Moment, nullable=False),
)

embeddings = Table("embeddings", metadata, C("key", String, primary_key=True), C("vector", LargeBinary, nullable=False))
