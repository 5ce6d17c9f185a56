"""What a document on the desk is worth, and how likely chance drew it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add two columns; what is on the desk already has neither."""
    with op.batch_alter_table("desk_records") as records:
        records.add_column(sa.Column("worth", sa.Float(), nullable=True))
        records.add_column(sa.Column("inclusion", sa.Float(), nullable=True))
