"""Webhooks: secrets, endpoints and deliveries; a job's end and its delivery are written by one statement"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None

NOW = sa.text("clock_timestamp()")
TIME = sa.DateTime(timezone=True)

# PostgreSQL has uuidv7() from version 18 on; this is one for those before: 48 bits of time, the rest random.
UUID7 = """
CREATE FUNCTION gradeline_uuid7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
        substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
        52, 1), 53, 1), 'hex')::uuid
$$
"""
HOST = """
CREATE FUNCTION gradeline_host(url text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower(coalesce(substring(url FROM '^[A-Za-z]+://([^/?#]+)'), ''))
$$
"""
# In the transaction of the end, whoever makes it. Jobs that nobody wants to hear of don't get here: see the trigger.
ENDS = """
CREATE FUNCTION gradeline_job_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_delivery (id, tenant_id, job_id, type, url, host) VALUES (gradeline_uuid7(), NEW.tenant_id, NEW.id,
        'job.' || NEW.state, NEW.callback_url, gradeline_host(NEW.callback_url));
    PERFORM pg_notify('gradeline_hook', '');
    RETURN NULL;
END $$
"""
ON_END = """
CREATE TRIGGER job_ended AFTER UPDATE OF state ON job FOR EACH ROW
WHEN (NEW.callback_url IS NOT NULL AND NEW.state <> OLD.state AND NEW.state IN ('succeeded', 'failed', 'cancelled'))
EXECUTE FUNCTION gradeline_job_ended()
"""
# A person's retry: the batch will end again.
AGAIN = """
CREATE FUNCTION gradeline_batch_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE batch SET told_at = NULL WHERE id = NEW.batch_id AND told_at IS NOT NULL;
    RETURN NULL;
END $$
"""
ON_RETRY = """
CREATE TRIGGER job_again AFTER UPDATE OF state ON job FOR EACH ROW
WHEN (NEW.batch_id IS NOT NULL AND NEW.state = 'queued' AND OLD.state IN ('failed', 'cancelled'))
EXECUTE FUNCTION gradeline_batch_again()
"""


def upgrade() -> None:
    op.add_column("batch", sa.Column("callback_url", sa.Text(), nullable=True))
    op.add_column("batch", sa.Column("told_at", TIME, nullable=True))
    untold = sa.text("callback_url IS NOT NULL AND told_at IS NULL")
    op.create_index("ix_batch_untold", "batch", ["id"], postgresql_where=untold)
    _secrets()
    _endpoints()
    _deliveries()
    for statement in (UUID7, HOST, ENDS, ON_END, AGAIN, ON_RETRY):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TRIGGER job_again ON job")
    op.execute("DROP TRIGGER job_ended ON job")
    for function in ("gradeline_batch_again()", "gradeline_job_ended()", "gradeline_host(text)", "gradeline_uuid7()"):
        op.execute(f"DROP FUNCTION {function}")
    for table in ("webhook_delivery", "webhook_endpoint", "webhook_secret"):
        op.drop_table(table)
    op.drop_index("ix_batch_untold", "batch")
    op.drop_column("batch", "told_at")
    op.drop_column("batch", "callback_url")


def _secrets() -> None:
    op.create_table(
        "webhook_secret",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_webhook_secret_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_secret")),
    )
    op.create_index(op.f("ix_webhook_secret_tenant_id"), "webhook_secret", ["tenant_id"])


def _endpoints() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), server_default="thin", nullable=False),
        sa.Column("disabled_at", TIME, nullable=True),
        sa.CheckConstraint("payload IN ('thin', 'full')", name=op.f("ck_webhook_endpoint_payload")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_webhook_endpoint_tenant_id_tenant")),
        sa.PrimaryKeyConstraint("tenant_id", "url", name=op.f("pk_webhook_endpoint")),
    )


def _deliveries() -> None:
    table = "webhook_delivery"
    op.create_table(
        table,
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("job_id", sa.UUID(), nullable=True),
        sa.Column("batch_id", sa.UUID(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts_before", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("due_at", TIME, server_default=NOW, nullable=False),
        sa.Column("taken_until", TIME, nullable=True),
        sa.Column("last_at", TIME, nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'failed')", name=op.f("ck_webhook_delivery_state")),
        sa.CheckConstraint("(state = 'pending') = (ended_at IS NULL)", name=op.f("ck_webhook_delivery_ended")),
        sa.CheckConstraint("(job_id IS NULL) <> (batch_id IS NULL)", name=op.f("ck_webhook_delivery_of_one")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_webhook_delivery_tenant_id_tenant")),
        sa.ForeignKeyConstraint(
            ["job_id"], ["job.id"], name=op.f("fk_webhook_delivery_job_id_job"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batch.id"], name=op.f("fk_webhook_delivery_batch_id_batch"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
    )
    pending, of_job = sa.text("state = 'pending'"), sa.text("job_id IS NOT NULL")
    op.create_index("ix_webhook_delivery_due", table, ["tenant_id", "host", "due_at"], postgresql_where=pending)
    op.create_index("ix_webhook_delivery_tenant_id_id", table, ["tenant_id", "id"])
    op.create_index("ix_webhook_delivery_job_id", table, ["job_id"], postgresql_where=of_job)
    ended = sa.text("ended_at IS NOT NULL")
    op.create_index("ix_webhook_delivery_ended_at", table, ["ended_at"], postgresql_where=ended)
