"""Batches: submitting, reading, cancelling."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Select, func, select, text, tuple_
from sqlalchemy.orm import Session

from db import baselines, jobs, regrading
from db.batch import Batch
from db.bulk import Manner, Rows, submit_rows
from db.cursors import make_cursor, read_cursor
from db.errors import BatchNotFound, IllegalMove
from db.rubric import Rubric
from db.work import NO_ORIGIN, Origin

RATE_S = 60.0
UNREAD = "Files are read when they are graded; make a calibration with this batch as its cohort afterwards."

# The rate is that of the last minute, or of the time since a worker took the first job.
FIGURES = text("""
SELECT batch_id, count(*) FILTER (WHERE state = 'queued') AS queued, count(*) FILTER (WHERE state = 'running') AS running,
    count(*) FILTER (WHERE state = 'succeeded') AS succeeded, count(*) FILTER (WHERE state = 'failed') AS failed,
    count(*) FILTER (WHERE state = 'cancelled') AS cancelled, max(finished_at) AS last_at,
    count(*) FILTER (
        WHERE state IN ('succeeded', 'failed') AND finished_at > clock_timestamp() - make_interval(secs => :rate_s)
    ) / greatest(least(extract(epoch FROM clock_timestamp() - min(started_at)), :rate_s), 0.001) AS rate
FROM job WHERE batch_id = ANY(:ids) GROUP BY batch_id
""")


@dataclass(frozen=True)
class Figures:
    """How many jobs of a batch are in each state, when the last one ended, and how many end in a second."""

    queued: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    last_at: datetime | None = None
    rate: float | None = None

    @property
    def left(self) -> int:
        return self.queued + self.running


@dataclass(frozen=True)
class BatchView:
    """A batch with all that its readers see."""

    batch: Batch
    rubric: Rubric
    figures: Figures

    @property
    def state(self) -> str:
        """running, cancelled or finished. A job of a cancelled batch that a person retries makes it run again."""
        if self.figures.left:
            return "running"
        return "cancelled" if self.batch.cancelled_at else "finished"

    @property
    def eta_s(self) -> float | None:
        """Seconds until its last job ends at the present rate; None when nothing has ended lately."""
        if not self.figures.left:
            return 0.0
        return self.figures.left / self.figures.rate if self.figures.rate else None

    @property
    def finished_at(self) -> datetime | None:
        return None if self.figures.left else self.figures.last_at or self.batch.created_at


def submit(
    session: Session, tenant_id: uuid.UUID, rubric: Rubric, manner: Manner, rows: Rows,
    metadata: Mapping[str, Any], baseline: Literal["auto", "none"], baseline_queue: str,
    unread: bool = False, callback_url: str | None = None,
) -> BatchView:  # fmt: skip
    """Writes a batch with its submissions and jobs in the caller's transaction, and asks for its baseline.

    Rows that are unread are files, which have no texts yet that a baseline could be made from.
    """
    batch = Batch(
        tenant_id=tenant_id, rubric_id=rubric.id, total=len(rows), metadata_=dict(metadata), baseline_mode=baseline,
        callback_url=callback_url,
    )  # fmt: skip
    wanted = baseline == "auto"
    if wanted and (why := UNREAD if unread else baselines.objection(session, rubric, len(rows))):
        wanted, batch.baseline_state, batch.baseline_reason = False, "skipped", why
    session.add(batch)
    session.flush()
    submissions = submit_rows(session, batch, manner, rows, held=wanted)
    if wanted:
        baselines.begin(session, batch, rubric, manner.model, baseline_queue, submissions)
    return BatchView(batch, rubric, Figures(queued=len(rows)))


def regrade(
    session: Session, tenant_id: uuid.UUID, rubric: Rubric, model: str, light: str, heavy: str,
    origin: Origin = NO_ORIGIN,
) -> BatchView:  # fmt: skip
    """A rubric version's submissions once more, as a new batch (`db/regrading.py`)."""
    batch = Batch(tenant_id=tenant_id, rubric_id=rubric.id, total=0)
    session.add(batch)
    session.flush()
    batch.total = regrading.regrade(session, tenant_id, rubric, batch.id, model, light, heavy, origin)
    session.flush()
    return BatchView(batch, rubric, Figures(queued=batch.total))


def find_batch(session: Session, tenant_id: uuid.UUID, batch_id: uuid.UUID) -> BatchView:
    """One batch of a tenant, or BatchNotFound."""
    views = _viewed(session, _mine(tenant_id).where(Batch.id == batch_id))
    if not views:
        raise BatchNotFound("there is no batch with this id")
    return views[0]


def find_batches(session: Session, owned: Sequence[tuple[uuid.UUID, uuid.UUID]]) -> list[BatchView]:
    """Batches by tenant and id, in no order; those that are not there are left out."""
    found = select(Batch, Rubric).join(Rubric, Rubric.id == Batch.rubric_id)
    return _viewed(session, found.where(tuple_(Batch.tenant_id, Batch.id).in_(owned)))


def list_batches(
    session: Session, tenant_id: uuid.UUID, limit: int, cursor: str | None
) -> tuple[list[BatchView], str | None]:
    """A page of a tenant's batches, newest first, and the next page's cursor or None. BadCursor for a foreign cursor."""
    mine = _mine(tenant_id)
    if cursor:
        mine = mine.where(Batch.id < read_cursor(cursor))
    views = _viewed(session, mine.order_by(Batch.id.desc()).limit(limit + 1))
    return views[:limit], make_cursor(views[limit - 1].batch.id) if len(views) > limit else None


def cancel(session: Session, tenant_id: uuid.UUID, batch_id: uuid.UUID) -> None:
    """Cancels the jobs that wait or run. A cancelled batch stays so; IllegalMove when it has finished."""
    mine = select(Batch).where(Batch.id == batch_id, Batch.tenant_id == tenant_id)
    batch = session.scalar(mine.with_for_update(key_share=True))  # not while its baseline is settled
    if batch is None:
        raise BatchNotFound("there is no batch with this id")
    moved = jobs.cancel_batch(session, tenant_id, batch_id)
    if batch.cancelled_at is None:
        if not moved:
            raise IllegalMove("a batch that has finished can't be cancelled")
        batch.cancelled_at = session.scalar(select(func.clock_timestamp()))
    baselines.give_up(session, batch)
    session.flush()


def _mine(tenant_id: uuid.UUID) -> Select[Batch, Rubric]:
    return select(Batch, Rubric).join(Rubric, Rubric.id == Batch.rubric_id).where(Batch.tenant_id == tenant_id)


def _viewed(session: Session, which: Select[Batch, Rubric]) -> list[BatchView]:
    found = session.execute(which).all()
    counted = session.execute(FIGURES, {"ids": [batch.id for batch, _ in found], "rate_s": RATE_S}).mappings()
    figures = {row["batch_id"]: Figures(**{k: v for k, v in row.items() if k != "batch_id"}) for row in counted}
    return [BatchView(batch, rubric, figures.get(batch.id, Figures())) for batch, rubric in found]
