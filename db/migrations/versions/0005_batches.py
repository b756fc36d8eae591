"""Batches have a row of their own, and jobs that wait for their batch's baseline are held"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WAITING = "state = 'queued' AND dispatched_at IS NULL"
OF_BATCH = "batch_id IS NOT NULL"

# Regrades made ids of batches before there was this table.
KNOWN = """
INSERT INTO batch (id, tenant_id, rubric_id, total, created_at)
SELECT batch_id, (array_agg(tenant_id))[1], (array_agg(rubric_id))[1], count(*), min(created_at)
FROM job WHERE batch_id IS NOT NULL GROUP BY batch_id
"""


def upgrade() -> None:
    _make_table()
    op.execute(KNOWN)
    op.create_foreign_key(op.f("fk_job_batch_id_batch"), "job", "batch", ["batch_id"], ["id"])
    op.add_column("job", sa.Column("held", sa.Boolean(), server_default="false", nullable=False))
    op.create_check_constraint(op.f("ck_job_held"), "job", "NOT held OR state = 'queued'")
    _index_waiting(f"{WAITING} AND NOT held")
    _index_batch("batch_id", "id")


def downgrade() -> None:
    _index_batch("batch_id")
    op.execute("UPDATE job SET held = false WHERE held")
    _index_waiting(WAITING)
    op.drop_constraint(op.f("ck_job_held"), "job")
    op.drop_column("job", "held")
    op.drop_constraint(op.f("fk_job_batch_id_batch"), "job")
    op.drop_table("batch")


def _make_table() -> None:
    op.create_table(
        "batch",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("rubric_id", sa.UUID(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("baseline_mode", sa.Text(), server_default="none", nullable=False),
        sa.Column("baseline_state", sa.Text(), server_default="none", nullable=False),
        sa.Column("baseline_reason", sa.Text(), nullable=True),
        sa.Column("calibration_id", sa.UUID(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("baseline_mode IN ('none', 'auto')", name=op.f("ck_batch_baseline_mode")),
        sa.CheckConstraint(
            "baseline_state IN ('none', 'making', 'used', 'failed', 'skipped')", name=op.f("ck_batch_baseline_state")
        ),
        sa.CheckConstraint("baseline_state <> 'making' OR calibration_id IS NOT NULL", name=op.f("ck_batch_made_by")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_batch_tenant_id_tenant")),
        sa.ForeignKeyConstraint(["rubric_id"], ["rubric.id"], name=op.f("fk_batch_rubric_id_rubric")),
        sa.ForeignKeyConstraint(["calibration_id"], ["calibration.id"], name=op.f("fk_batch_calibration_id_calibration")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
    )  # fmt: skip
    op.create_index("ix_batch_tenant_id_id", "batch", ["tenant_id", "id"])
    making = sa.text("baseline_state = 'making'")
    op.create_index("ix_batch_making", "batch", ["calibration_id"], postgresql_where=making)


def _index_waiting(which: str) -> None:
    op.drop_index("ix_job_waiting", "job")
    columns = ["queue", "tenant_id", "share_id", "id"]
    op.create_index("ix_job_waiting", "job", columns, postgresql_where=sa.text(which))


def _index_batch(*columns: str) -> None:
    op.drop_index("ix_job_batch_id", "job")
    op.create_index("ix_job_batch_id", "job", list(columns), postgresql_where=sa.text(OF_BATCH))
