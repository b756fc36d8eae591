"""How long a job takes a worker, by queue; an index that another one covers goes"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "worker", sa.Column("job_ms", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False)
    )
    # An attempt's row is written when it ends, from now on; one that was written at its beginning would be in the way.
    op.execute("DELETE FROM attempt WHERE outcome = 'running'")
    # ix_submission_fingerprint begins with the tenant too.
    op.drop_index("ix_submission_tenant_id", "submission")
    # A vector of the default model has 2.5 kB. Beside the row, in pieces, it would cost two more writes.
    op.execute("ALTER TABLE embedding SET (toast_tuple_target = 8160)")
    op.execute("ALTER TABLE embedding ALTER COLUMN vector SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.execute("ALTER TABLE embedding ALTER COLUMN vector SET STORAGE EXTENDED")
    op.execute("ALTER TABLE embedding RESET (toast_tuple_target)")
    op.create_index("ix_submission_tenant_id", "submission", ["tenant_id"])
    op.drop_column("worker", "job_ms")
