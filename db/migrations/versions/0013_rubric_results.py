"""The newest results of a rubric are found by an index: how its scores spread is looked at every minute"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_job_rubric_id_finished_at",
        "job",
        ["rubric_id", "finished_at"],
        postgresql_where=sa.text("state = 'succeeded'"),
    )


def downgrade() -> None:
    op.drop_index("ix_job_rubric_id_finished_at", "job")
