"""The request that a job came with: its id, and its span"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Without a default: no row is written.
    op.add_column("job", sa.Column("request_id", sa.String(100)))
    op.add_column("job", sa.Column("traceparent", sa.String(55)))


def downgrade() -> None:
    op.drop_column("job", "traceparent")
    op.drop_column("job", "request_id")
