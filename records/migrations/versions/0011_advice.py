"""Advice: what logs said of a task, and what was advised."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add both tables."""
    op.create_table(
        "measurements",
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("measured", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("task", "made_at"),
    )
    op.create_table(
        "advices",
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.Column("recommendation", sa.String(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("advice", sa.JSON(), nullable=False),
        sa.Column("report_path", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("task", "made_at"),
    )
