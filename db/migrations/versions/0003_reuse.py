"""What was read once is not read again: fingerprints of texts, kept surface features, results that are used again"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("submission", sa.Column("fingerprint", sa.LargeBinary(), nullable=True))
    op.execute("UPDATE submission SET fingerprint = sha256(convert_to(text, 'UTF8')) WHERE erased_at IS NULL")
    op.create_index("ix_submission_fingerprint", "submission", ["tenant_id", "fingerprint"])
    op.add_column("embedding", sa.Column("surface", sa.LargeBinary(), nullable=True))
    op.add_column("job", sa.Column("source_id", sa.UUID(), nullable=True))
    op.add_column("result", sa.Column("topic", postgresql.ARRAY(sa.Float()), nullable=True))
    op.add_column("result", sa.Column("cached", sa.Boolean(), server_default="false", nullable=False))


def downgrade() -> None:
    op.drop_column("result", "cached")
    op.drop_column("result", "topic")
    op.drop_column("job", "source_id")
    op.drop_column("embedding", "surface")
    op.drop_index("ix_submission_fingerprint", "submission")
    op.drop_column("submission", "fingerprint")
