"""How often a job was lost since it was queued, apart from how often it ran"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default is a constant: no row is written.
    op.add_column("job", sa.Column("losses", sa.SmallInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("job", "losses")
