"""History: every answer of a person, every suggestion that was shown, what became of labels."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the tables. The answers that are known today begin their history; older edits were not kept."""
    _add_edits()
    op.create_table(
        "suggestions",
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("document_id", sa.String(), nullable=False),
        sa.Column("shown_at", sa.DateTime(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("task", "document_id", "shown_at"),
    )
    op.create_table(
        "label_names",
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("old", sa.String(), nullable=False),
        sa.Column("new", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("task", "old"),
    )


def _add_edits() -> None:
    op.create_table(
        "edits",
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("document_id", sa.String(), nullable=False),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("answered_at", sa.DateTime(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=True),
        sa.Column("discarded", sa.Boolean(), nullable=False),
        sa.Column("suggestion", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("task", "document_id", "reviewer", "answered_at"),
    )
    columns = "task, document_id, reviewer, answered_at, value, discarded, suggestion"
    op.execute(f"INSERT INTO edits ({columns}) SELECT {columns} FROM corrections")
