"""Trainings at a provider. Grain: one row per job, which is a dataset, a recipe and a base model at one provider.

A job takes hours and is paid for, so each thing that was done is noted before the next begins, and what a kill cut off
is looked for at the provider by the job's name before it is done again. One real row:

    TrainingJob(id="3f9c01d2a4b7", task="legal_intake", provider="together", state="waiting", said="running",
                files={"train": "file-9ab...", "validation": "file-1c2..."}, provider_id="ft-68f0...", ...)

    uploading -> starting -> waiting -> trained     the provider holds a model; `model` is its LiteLLM string
                                     -> failed      `error` says why; the same command starts anew
"""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from pydantic import Field

from records.store import Store, row_of
from records.tables import training_jobs as table
from records.types import Record, now


class JobState(StrEnum):
    """Where a job is."""

    uploading = "uploading"
    starting = "starting"
    waiting = "waiting"
    trained = "trained"
    failed = "failed"


class TrainingJob(Record):
    """`said`: the provider's own word; `files`: its ids by split; `cost_usd`: as it says, None until it does.

    `attempt`: one more after each failure.
    """

    id: str
    task: str
    provider: str
    dataset_hash: str
    recipe_hash: str
    base_model: str
    attempt: int = 1
    state: JobState = JobState.uploading
    said: str = ""
    files: dict[str, str] = Field(default_factory=dict)
    provider_id: str | None = None
    model: str | None = None
    cost_usd: float | None = None
    error: str | None = None
    started_at: datetime = Field(default_factory=now)
    checked_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def name(self) -> str:
        """What its files are called at the provider: by it they are found again."""
        return f"retort-{self.id}"

    @property
    def attempt_name(self) -> str:
        """What the training and its model are called there; another attempt after a failure has another name."""
        return self.name if self.attempt == 1 else f"{self.name}-{self.attempt}"


def find(store: Store, id_: str) -> TrainingJob | None:
    """A job by its id."""
    with store.read() as db:
        row = db.execute(sa.select(table).where(table.c.id == id_)).first()
    return TrainingJob.model_validate(dict(row._mapping)) if row else None


def save(store: Store, job: TrainingJob) -> TrainingJob:
    """Keep a job as it is now."""
    with store.begin() as db:
        store.put_one(db, table, row_of(job))
    return job


def of_task(store: Store, task: str) -> list[TrainingJob]:
    """All jobs of a task, oldest first."""
    query = sa.select(table).where(table.c.task == task).order_by(table.c.started_at)
    with store.read() as db:
        return [TrainingJob.model_validate(dict(row._mapping)) for row in db.execute(query)]
