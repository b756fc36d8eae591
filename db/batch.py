"""Batches: jobs that were submitted together."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, new_id


class Batch(Base):
    """Jobs of one rubric version that were submitted together, or that a regrade made.

    `baseline_state` says what became of a calibration by the batch's own submissions: none (not asked for), making (its
    jobs are held), used, failed, or skipped; `baseline_reason` is the sentence to the last two.
    """

    __tablename__ = "batch"
    __table_args__ = (
        CheckConstraint("baseline_mode IN ('none', 'auto')", name="baseline_mode"),
        CheckConstraint("baseline_state IN ('none', 'making', 'used', 'failed', 'skipped')", name="baseline_state"),
        CheckConstraint("baseline_state <> 'making' OR calibration_id IS NOT NULL", name="made_by"),
        Index("ix_batch_tenant_id_id", "tenant_id", "id"),
        # The sweep looks here every second: batches whose jobs wait for a calibration.
        Index("ix_batch_making", "calibration_id", postgresql_where=text("baseline_state = 'making'")),
        # And those whose end somebody wants to be told of.
        Index("ix_batch_untold", "id", postgresql_where=text("callback_url IS NOT NULL AND told_at IS NULL")),
    )
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenant.id"))
    rubric_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("rubric.id"))
    total: Mapped[int]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", server_default="{}")
    baseline_mode: Mapped[str] = mapped_column(server_default="none")
    baseline_state: Mapped[str] = mapped_column(server_default="none")
    baseline_reason: Mapped[str | None]
    calibration_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("calibration.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    cancelled_at: Mapped[datetime | None]
    callback_url: Mapped[str | None]
    told_at: Mapped[datetime | None]  # when its end became a delivery
