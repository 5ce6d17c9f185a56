"""The table of trainings at a provider. `records.tables` has all tables."""

from sqlalchemy import Column as C
from sqlalchemy import Float, Integer, String, Table, Text

from records.columns import Moment, metadata
from records.columns import json as _json

training_jobs = Table(
    "training_jobs",
    metadata,
    C("id", String, primary_key=True),
    C("task", String, nullable=False, index=True),
    C("provider", String, nullable=False),
    C("dataset_hash", String, nullable=False),
    C("recipe_hash", String, nullable=False),
    C("base_model", Text, nullable=False),
    C("attempt", Integer, nullable=False),
    C("state", String, nullable=False),
    C("said", String, nullable=False),
    C("files", _json, nullable=False),
    C("provider_id", String),
    C("model", Text),
    C("cost_usd", Float),
    C("error", Text),
    C("started_at", Moment, nullable=False),
    C("checked_at", Moment),
    C("ended_at", Moment),
)
