"""Retention: what has been kept for long enough is erased, a bounded number of jobs at a time.

Jobs are visited once, in the order in which they ended; a row says how far that has come, and whoever locks it does the
next step. So no index is paid for by every job that is graded, and nobody reads again what was erased long ago. A job
that is retried ends again, and is visited again.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from db import audit
from db.base import Base
from db.erasing import empty_jobs, empty_submissions, lock_submissions, mark, says_more
from db.job import FINAL, Job, Result

BY = "retention"


class Retention(Base):
    """How far one kind of erasure (texts, results) has come: all jobs that ended until then have been visited."""

    __tablename__ = "retention"
    what: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[datetime]


class Ended(NamedTuple):
    """A job whose time is over."""

    id: uuid.UUID
    submission_id: uuid.UUID
    finished_at: datetime


# With ties: those that ended in the same microsecond are visited together, or the next step would pass over some.
DUE = text("""
SELECT id, submission_id, finished_at FROM job
WHERE finished_at > :until AND finished_at <= :before ORDER BY finished_at FETCH FIRST :most ROWS WITH TIES
""")
# A reason of a score is a sentence of the text.
UNQUOTE = text("""
UPDATE result SET scores = (SELECT jsonb_agg(score - 'reasons' ORDER BY place)
    FROM jsonb_array_elements(scores) WITH ORDINALITY AS each(score, place))
WHERE job_id = ANY(:ids) AND jsonb_path_exists(scores, '$[*].reasons')
""")

# An appeal's reason is the student's own words.
UNEXPLAIN = text("UPDATE review SET comment = NULL WHERE job_id = ANY(:ids) AND what = 'appeal'")


def erase_texts(session: Session, days: int, most: int) -> int:
    """Erases texts, vectors and quotations of submissions all of whose jobs ended that long ago; returns how many."""
    due, before = _next(session, "texts", days, most)
    kept = lock_submissions(session, sorted({job.submission_id for job in due}))
    jobs = _locked(session, Job.submission_id.in_(kept)) if kept else []
    needed = {job.submission_id for job in jobs if not _is_over(job, before)}
    gone = [each for each in kept if each not in needed]
    if gone:
        empty_submissions(session, gone)
        over = [job for job in jobs if job.submission_id not in needed]
        session.execute(UNQUOTE, {"ids": [job.id for job in over]})
        session.execute(UNEXPLAIN, {"ids": [job.id for job in over]})
        _mark(session, over, "texts erased")
    return len(gone)


def erase_results(session: Session, days: int, most: int) -> int:
    """Erases the scores of jobs that ended that long ago, with external ids and metadata; returns how many."""
    due, before = _next(session, "results", days, most)
    jobs = _locked(session, Job.id.in_([job.id for job in due])) if due else []
    scored = set(session.scalars(select(Result.job_id).where(Result.job_id.in_([job.id for job in jobs]))))
    # Those that somebody had erased before have nothing left.
    over = [job for job in jobs if _is_over(job, before) and (job.id in scored or says_more(job))]
    if over:
        empty_jobs(session, [job.id for job in over])
        _mark(session, over, "results erased")
    return len(over)


def _next(session: Session, what: str, days: int, most: int) -> tuple[Sequence[Ended], datetime]:
    """The next jobs whose time is over, and the moment that they ended before. None while another process is at it."""
    at = session.get(Retention, what, with_for_update={"skip_locked": True})
    before = datetime.now(UTC) - timedelta(days=days)
    if at is None:
        return [], before
    due = [Ended(*row) for row in session.execute(DUE, {"until": at.until, "before": before, "most": most})]
    if due:
        at.until = due[-1].finished_at
    return due, before


def _locked(session: Session, which: ColumnElement[bool]) -> Sequence[Job]:
    """Jobs as they are now: nobody retries one of them meanwhile."""
    found = select(Job).where(which).order_by(Job.id).with_for_update()
    return session.scalars(found).all()


def _is_over(job: Job, before: datetime) -> bool:
    return job.state in FINAL and job.finished_at is not None and job.finished_at <= before


def _mark(session: Session, jobs: Sequence[Job], what: str) -> None:
    """Jobs say since when something of them is gone, and can't be retried; the audit says what."""
    owners: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    for job in jobs:
        owners[job.tenant_id].append(job.id)
    mark(session, [job.id for job in jobs])
    for tenant_id, subjects in owners.items():
        audit.note(session, tenant_id, BY, what, subjects)
