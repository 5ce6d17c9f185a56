"""The gate: what people decide against a verdict, and the prices that a verdict was counted with."""

import sqlalchemy as sa
from alembic import op

from records.columns import Moment

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the table and the column. Earlier verdicts do not say at which prices they were given."""
    op.create_table(
        "overrides",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("verdict_id", sa.String(), nullable=False),
        sa.Column("student_hash", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
    )
    op.create_index("overrides_by_verdict", "overrides", ["verdict_id"])
    with op.batch_alter_table("verdicts") as verdicts:
        verdicts.add_column(sa.Column("prices_hash", sa.String(), nullable=False, server_default=""))
