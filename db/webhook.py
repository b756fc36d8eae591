"""Webhooks: who is told of ends, by what secret, and what came of it."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, new_id


class WebhookSecret(Base):
    """What a tenant's webhooks are signed with. It is kept in clear: a signature can't be made of a hash."""

    __tablename__ = "webhook_secret"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenant.id"), index=True)
    secret: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime | None]  # null: the one of now; otherwise the one before, during a rotation


class WebhookEndpoint(Base):
    """What was said of an address: by its tenant (payload), or by the endpoint itself (410: no more)."""

    __tablename__ = "webhook_endpoint"
    __table_args__ = (CheckConstraint("payload IN ('thin', 'full')", name="payload"),)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    url: Mapped[str] = mapped_column(primary_key=True)
    payload: Mapped[str] = mapped_column(server_default="thin")
    disabled_at: Mapped[datetime | None]


class WebhookDelivery(Base):
    """One end of a job or a batch that somebody wants to be told of. A trigger on `job` writes it with the end itself.

    `host` is what shares the senders out. `taken_until`: a sender has it, or a message about it is on its way.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'delivered', 'failed')", name="state"),
        CheckConstraint("(state = 'pending') = (ended_at IS NULL)", name="ended"),
        CheckConstraint("(job_id IS NULL) <> (batch_id IS NULL)", name="of_one"),
        # The dispatcher walks from one endpoint to the next and takes the oldest of each.
        Index("ix_webhook_delivery_due", "tenant_id", "host", "due_at", postgresql_where=text("state = 'pending'")),
        Index("ix_webhook_delivery_tenant_id_id", "tenant_id", "id"),
        Index("ix_webhook_delivery_job_id", "job_id", postgresql_where=text("job_id IS NOT NULL")),
        Index("ix_webhook_delivery_ended_at", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
    )
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenant.id"))
    job_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    batch_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("batch.id", ondelete="CASCADE"))
    type: Mapped[str]
    url: Mapped[str]
    host: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="pending")
    attempts: Mapped[int] = mapped_column(server_default="0")
    attempts_before: Mapped[int] = mapped_column(server_default="0")  # it was asked for again: retries begin anew
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    due_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    taken_until: Mapped[datetime | None]
    last_at: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_error: Mapped[str | None]
    ended_at: Mapped[datetime | None]
