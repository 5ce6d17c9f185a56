"""Asking at scale: runs with their prices, claims of workers, charges beside the labels; why an answer has none."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_json = sa.JSON(none_as_null=True)


def upgrade() -> None:
    """Add what an asking run keeps about itself. Labels of version 0.1 have no run, reason or samples."""
    with op.batch_alter_table("labels") as labels:
        labels.add_column(sa.Column("run", sa.String(), nullable=True))
        labels.add_column(sa.Column("reason", sa.String(), nullable=True))
        labels.add_column(sa.Column("samples", _json, nullable=True))
    op.create_table(
        "runs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("prompt", sa.String(), nullable=False),
        sa.Column("input_price", sa.Float(), nullable=False),
        sa.Column("output_price", sa.Float(), nullable=False),
        sa.Column("budget_usd", sa.Float(), nullable=True),
        sa.Column("began_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("stopped", sa.Text(), nullable=True),
        sa.Column("claimed", sa.Integer(), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("unreadable", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("runs_by_task", "runs", ["task"])
    op.create_table(
        "claims",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("highest_usd", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("claims_by_task", "claims", ["task"])
    op.create_table(
        "charges",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("charges_by_task", "charges", ["task"])
    op.execute(_RUNS_OF_OLD_LABELS)
    op.execute("UPDATE labels SET run = 'before ' || task || ' ' || role || ' ' || model || ' ' || prompt")


# What was paid before there were runs still counts in a task's budget: one run a task, role, model and prompt.
_RUNS_OF_OLD_LABELS = """
    INSERT INTO runs (id, task, role, model, prompt, input_price, output_price, began_at, ended_at, claimed,
                      answered, unreadable, refused, failed, prompt_tokens, completion_tokens, cost_usd)
    SELECT 'before ' || task || ' ' || role || ' ' || model || ' ' || prompt, task, role, model, prompt, 0, 0,
           min(created_at), max(created_at), count(*),
           sum(CASE outcome WHEN 'answered' THEN 1 ELSE 0 END), sum(CASE outcome WHEN 'unreadable' THEN 1 ELSE 0 END),
           sum(CASE outcome WHEN 'refused' THEN 1 ELSE 0 END), sum(CASE outcome WHEN 'failed' THEN 1 ELSE 0 END),
           sum(prompt_tokens), sum(completion_tokens), sum(cost_usd)
    FROM labels GROUP BY task, role, model, prompt
"""
