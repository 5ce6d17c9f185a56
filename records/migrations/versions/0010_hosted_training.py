"""Trainings at a provider: where each is, and the model that a student of one is asked by."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_json = sa.JSON(none_as_null=True)


def upgrade() -> None:
    """Add the table; students from before are served from a file."""
    op.create_table(
        "training_jobs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("dataset_hash", sa.String(), nullable=False),
        sa.Column("recipe_hash", sa.String(), nullable=False),
        sa.Column("base_model", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("said", sa.String(), nullable=False),
        sa.Column("files", _json, nullable=False),
        sa.Column("provider_id", sa.String(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_training_jobs_task", "training_jobs", ["task"])
    with op.batch_alter_table("students") as students:
        students.add_column(sa.Column("model", sa.Text(), nullable=True))
