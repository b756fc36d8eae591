"""Second raters and groups of graded examples, and the report that is made with them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("example", sa.Column("scores_2", postgresql.JSONB(), nullable=True))
    op.add_column("example", sa.Column("groups", postgresql.JSONB(), nullable=True))
    op.add_column("calibration", sa.Column("report", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("calibration", "report")
    op.drop_column("example", "groups")
    op.drop_column("example", "scores_2")
