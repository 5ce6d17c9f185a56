"""Batches at half price: what was handed to a provider's batch API, with the answer keys that wait in it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_json = sa.JSON(none_as_null=True)


def upgrade() -> None:
    """Add the table; what was labelled before never was in a batch."""
    op.create_table(
        "batches",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("run", sa.String(), nullable=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("prompt", sa.String(), nullable=False),
        sa.Column("api_base", sa.Text(), nullable=True),
        sa.Column("footing", _json, nullable=False),
        sa.Column("input_price", sa.Float(), nullable=False),
        sa.Column("output_price", sa.Float(), nullable=False),
        sa.Column("highest_usd", sa.Float(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("said", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=True),
        sa.Column("files", _json, nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("documents", _json, nullable=False),
        sa.Column("counts", _json, nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(), nullable=False),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
