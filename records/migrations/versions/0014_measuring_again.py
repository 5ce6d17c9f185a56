"""The gate: every measurement of an endpoint under load, and which release was live before a release."""

from hashlib import blake2b

import sqlalchemy as sa
from alembic import op

from records.columns import Moment

revision = "0014"
down_revision = "0013"

_LOADS = sa.table(
    "load_measurements",
    *(sa.column(name, sa.String()) for name in ("id", "task", "student_hash", "measured_as", "reason", "by")),
    sa.column("load", sa.JSON()),
    sa.column("created_at", Moment()),
)
_VERDICTS = sa.table(
    "verdicts",
    sa.column("task", sa.String()),
    sa.column("student_hash", sa.String()),
    sa.column("report", sa.JSON()),
    sa.column("created_at", Moment()),
)


def upgrade() -> None:
    """Add the table and the column. What verdicts hold of measurements becomes the first rows. Of earlier releases it
    is not known which was live before: the one with the number before is taken, as a rollback did until now.
    """
    op.create_table(
        "load_measurements",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("student_hash", sa.String(), nullable=False),
        sa.Column("measured_as", sa.Text(), nullable=False),
        sa.Column("load", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
    )
    op.create_index("load_measurements_by_student", "load_measurements", ["student_hash"])
    with op.batch_alter_table("releases") as releases:
        releases.add_column(sa.Column("replaced", sa.Integer(), nullable=True))
    op.execute("UPDATE releases SET replaced = number - 1 WHERE number > 1")
    db, known = op.get_bind(), set()
    for verdict in db.execute(sa.select(_VERDICTS).order_by(_VERDICTS.c.created_at)).mappings().all():
        load, way = verdict["report"].get("load"), verdict["report"].get("measured_as")
        if load and way and (verdict["student_hash"], way) not in known:
            known.add((verdict["student_hash"], way))
            about = {name: verdict[name] for name in ("task", "student_hash", "created_at")}
            digest = blake2b(f"{verdict['student_hash']}\n{way}".encode(), digest_size=8).hexdigest()
            row = {"id": f"load-{digest}", "measured_as": way, "load": load, "reason": "", "by": ""}
            db.execute(sa.insert(_LOADS), [{**about, **row}])
