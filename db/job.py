"""Jobs, their attempts and their results. Only `db/jobs.py` changes a state."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, SmallInteger, String, func, text
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, new_id

STATES = ("queued", "running", "succeeded", "failed", "cancelled")
FINAL = ("succeeded", "failed", "cancelled")
# A job that is held waits for something else than a worker: no dispatcher should read past thousands of them.
WAITING = "state = 'queued' AND dispatched_at IS NULL AND NOT held"
# How much a result needs a person: appeals first, then degraded ones, then those with advisories; among equals the one of
# which the head knows least, by the width of the overall interval, of 1. Stored, because a page of the queue begins at one.
NEED = """(CASE WHEN appealed_at IS NULL THEN 0 ELSE 8 END + CASE WHEN degraded THEN 4 ELSE 0 END
    + CASE WHEN jsonb_array_length(advisories) > 0 THEN 2 ELSE 0 END + coalesce(
        ((overall->'interval'->>1)::float8 - (overall->'interval'->>0)::float8)
        / nullif((overall->>'max')::float8 - (overall->>'min')::float8, 0), 0))"""
OPEN_REVIEW = "reviewed_at IS NULL OR appealed_at > reviewed_at"
IN_WINDOW = "state = 'queued' AND dispatched_at IS NOT NULL"


class Job(Base):
    """The request to grade one submission by one rubric."""

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="state"),
        CheckConstraint("(state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)", name="finished"),
        CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="leased"),
        CheckConstraint("NOT held OR state = 'queued'", name="held"),
        # The dispatcher walks from one (tenant, share) to the next and takes the oldest of each.
        Index("ix_job_waiting", "queue", "tenant_id", "share_id", "id", postgresql_where=text(WAITING)),
        Index("ix_job_in_window", "queue", "dispatched_at", postgresql_where=text(IN_WINDOW)),
        Index("ix_job_running", "lease_until", postgresql_where=text("state = 'running'")),
        Index("ix_job_tenant_id_id", "tenant_id", "id"),
        Index("ix_job_batch_id", "batch_id", "id", postgresql_where=text("batch_id IS NOT NULL")),
        Index("ix_job_external_id", "tenant_id", "external_id", postgresql_where=text("external_id IS NOT NULL")),
        Index("ix_job_failed", "tenant_id", "id", postgresql_where=text("state = 'failed'")),
        Index("ix_job_finished_at", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
        # How the scores of a rubric spread is looked at every minute (db/scores.py).
        Index("ix_job_rubric_id_finished_at", "rubric_id", "finished_at", postgresql_where=text("state = 'succeeded'")),
    )
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenant.id"))
    submission_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("submission.id"), index=True)
    rubric_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("rubric.id"))
    batch_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("batch.id"))
    share_id: Mapped[uuid.UUID]  # the batch, or the tenant: what gets an equal share of the workers
    queue: Mapped[str]
    model: Mapped[str]
    device: Mapped[str]
    priority: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="queued")
    held: Mapped[bool] = mapped_column(server_default="false")  # until its batch's baseline is made, or is given up
    attempt: Mapped[int] = mapped_column(server_default="0")  # of all runs: the guard of every write
    losses: Mapped[int] = mapped_column(SmallInteger, server_default="0")  # runs since it was queued that ended badly
    allow_degraded: Mapped[bool] = mapped_column(server_default="true")
    explain: Mapped[bool] = mapped_column(server_default="false")
    external_id: Mapped[str | None]
    callback_url: Mapped[str | None]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", server_default="{}")
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    retry_at: Mapped[datetime | None]
    dispatched_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    worker: Mapped[str | None]
    error: Mapped[dict[str, Any] | None]
    erased_at: Mapped[datetime | None]
    source_id: Mapped[uuid.UUID | None]  # the job that a regrade repeats
    # Of the request that it came with: whoever runs it logs and traces by these.
    request_id: Mapped[str | None] = mapped_column(String(100))
    traceparent: Mapped[str | None] = mapped_column(String(55))


class Attempt(Base):
    """One run of a job on one worker. Times in milliseconds; what was not reached is null."""

    __tablename__ = "attempt"
    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    worker: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(server_default="running")
    error: Mapped[dict[str, Any] | None]
    model: Mapped[str | None]
    revision: Mapped[str | None]
    engine: Mapped[str | None]
    device: Mapped[str | None]
    batch_size: Mapped[int | None]
    tokens: Mapped[int | None]
    windows: Mapped[int | None]
    queue_ms: Mapped[float] = mapped_column(DOUBLE_PRECISION)
    tokenize_ms: Mapped[float | None] = mapped_column(DOUBLE_PRECISION)
    inference_ms: Mapped[float | None] = mapped_column(DOUBLE_PRECISION)
    persist_ms: Mapped[float | None] = mapped_column(DOUBLE_PRECISION)
    total_ms: Mapped[float | None] = mapped_column(DOUBLE_PRECISION)


class Result(Base):
    """What the last attempt of a job that succeeded says of the submission."""

    __tablename__ = "result"
    __table_args__ = (
        Index("ix_result_to_review", "tenant_id", "need", "job_id", postgresql_where=text(OPEN_REVIEW)),
        Index("ix_result_reviewed", "tenant_id", "reviewed_at", postgresql_where=text("reviewed_at IS NOT NULL")),
    )
    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int]
    scores: Mapped[list[dict[str, Any]]]
    overall: Mapped[dict[str, Any]]
    advisories: Mapped[list[dict[str, Any]]]
    scored_by: Mapped[dict[str, Any]]
    degraded: Mapped[bool]
    review_reasons: Mapped[list[str]]
    topic: Mapped[list[float] | None]  # prompt features, then their centre's mark: a regrade need not read the text
    cached: Mapped[bool] = mapped_column(server_default="false")  # taken from an earlier job on the same text
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    tenant_id: Mapped[uuid.UUID | None]  # the job's: the queue of reviews reads no other table
    review: Mapped[dict[str, Any] | None]  # what people decided last; every decision is a row of `review`
    reviewed_at: Mapped[datetime | None]
    appealed_at: Mapped[datetime | None]
    lease_id: Mapped[uuid.UUID | None]
    leased_until: Mapped[datetime | None]
    need: Mapped[float | None] = mapped_column(DOUBLE_PRECISION, Computed(NEED, persisted=True))

    @property
    def appeal_open(self) -> bool:
        """Somebody has appealed, and nobody has reviewed it since."""
        return self.appealed_at is not None and (self.reviewed_at is None or self.appealed_at > self.reviewed_at)
