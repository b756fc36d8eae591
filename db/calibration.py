"""Calibrations: what a rubric version has been taught, by graded examples, by a cohort, or by both."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, new_id


class Calibration(Base):
    """A head for one rubric version, and how it came about. The head never changes once it is made."""

    __tablename__ = "calibration"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'succeeded', 'failed')", name="state"),
        CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="leased"),
        CheckConstraint("(state = 'succeeded') = (head IS NOT NULL)", name="made"),
        Index("uq_calibration_active", "rubric_id", unique=True, postgresql_where=text("active")),
        Index("ix_calibration_unfinished", "state", postgresql_where=text("state IN ('queued', 'running')")),
    )
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenant.id"))
    rubric_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("rubric.id"), index=True)
    model: Mapped[str]
    queue: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="queued")
    examples: Mapped[int]
    cohort: Mapped[int]
    embedded: Mapped[int] = mapped_column(server_default="0")
    lost: Mapped[int] = mapped_column(server_default="0")  # how often its worker went away
    active: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    dispatched_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    worker: Mapped[str | None]
    revision: Mapped[str | None]  # of the encoder that the head was fitted on
    head: Mapped[bytes | None]  # safetensors
    sha256: Mapped[str | None]
    card: Mapped[dict[str, Any] | None]  # what the head's numbers mean, and the figures of its agreement
    # Figures and points of each criterion (worker/report): too much to come along with every list.
    report: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    error: Mapped[dict[str, Any] | None]


class Example(Base):
    """A submission that a calibration learns from; `scores` by criterion, null for one of the cohort.

    `scores_2` of a second rater and `groups` (of the student, such as gender) teach nothing: the report is made with them.
    """

    __tablename__ = "example"
    calibration_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("calibration.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("submission.id"), index=True)
    scores: Mapped[dict[str, Any] | None]
    scores_2: Mapped[dict[str, Any] | None]
    groups: Mapped[dict[str, Any] | None]
