"""Near-duplicates: the bands by which they are found, and whose answer was copied."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the bands. Documents that are there already get theirs when the next ones of their task arrive."""
    op.create_table(
        "document_bands",
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("band", sa.BigInteger(), nullable=False),
        sa.Column("cluster", sa.String(), nullable=False),
        sa.Column("document_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("task", "band", "cluster"),
        sqlite_with_rowid=False,
    )
    op.create_index("documents_by_cluster", "documents", ["task", "cluster"])
    with op.batch_alter_table("labels") as labels:
        labels.add_column(sa.Column("copied_from", sa.String(), nullable=True))
