"""Reviews by people, appeals, leases, and the queue of what most needs a person"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0008"
branch_labels = None
depends_on = None

NEED = """(CASE WHEN appealed_at IS NULL THEN 0 ELSE 8 END + CASE WHEN degraded THEN 4 ELSE 0 END
    + CASE WHEN jsonb_array_length(advisories) > 0 THEN 2 ELSE 0 END + coalesce(
        ((overall->'interval'->>1)::float8 - (overall->'interval'->>0)::float8)
        / nullif((overall->>'max')::float8 - (overall->>'min')::float8, 0), 0))"""
OPEN_REVIEW = "reviewed_at IS NULL OR appealed_at > reviewed_at"


def upgrade() -> None:
    jsonb, moment = postgresql.JSONB(astext_type=sa.Text()), sa.DateTime(timezone=True)
    op.create_table(
        "review",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("job_id", sa.UUID(), nullable=False),
        sa.Column("at", moment, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=True),
        sa.Column("scores", jsonb, nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.CheckConstraint("what IN ('review', 'appeal')", name=op.f("ck_review_what")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_review_job_id_job"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_review_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
    )
    op.create_index("ix_review_job_id", "review", ["job_id", "id"])
    op.add_column("result", sa.Column("tenant_id", sa.UUID(), nullable=True))
    op.execute("UPDATE result SET tenant_id = job.tenant_id FROM job WHERE job.id = result.job_id")
    op.add_column("result", sa.Column("review", jsonb, nullable=True))
    for name in ("reviewed_at", "appealed_at", "leased_until"):
        op.add_column("result", sa.Column(name, moment, nullable=True))
    op.add_column("result", sa.Column("lease_id", sa.UUID(), nullable=True))
    need: sa.Column[float | None] = sa.Column(
        "need", sa.DOUBLE_PRECISION(), sa.Computed(NEED, persisted=True), nullable=True
    )
    op.add_column("result", need)
    op.create_index(
        "ix_result_to_review", "result", ["tenant_id", "need", "job_id"], postgresql_where=sa.text(OPEN_REVIEW)
    )
    reviewed = sa.text("reviewed_at IS NOT NULL")
    op.create_index("ix_result_reviewed", "result", ["tenant_id", "reviewed_at"], postgresql_where=reviewed)


def downgrade() -> None:
    op.drop_index("ix_result_reviewed", "result")
    op.drop_index("ix_result_to_review", "result")
    for name in ("need", "lease_id", "leased_until", "appealed_at", "reviewed_at", "review", "tenant_id"):
        op.drop_column("result", name)
    op.drop_table("review")
