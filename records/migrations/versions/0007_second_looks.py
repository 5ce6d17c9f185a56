"""Second looks: what was sent for one, who answered it, and up to where each board was read."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the three tables."""
    op.create_table(
        "second_looks",
        *_place(),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.Column("sent_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("task", "document_id", "queue"),
    )
    op.create_table(
        "second_answers",
        *_place(),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("answered_at", sa.DateTime(), nullable=False),
        sa.Column("value", sa.JSON()),
        sa.Column("discarded", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("task", "document_id", "queue", "reviewer", "answered_at"),
    )
    op.create_table(
        "desk_cursors",
        sa.Column("board", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("cursor", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("board"),
    )


def _place() -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(), nullable=False) for name in ("task", "document_id", "queue")]
