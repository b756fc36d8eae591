"""Erasure: text, vectors and scores go; the job's id and times stay."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from db import jobs
from db.job import FINAL, Attempt, Job, Result
from db.submission import Embedding, Submission


def erase(session: Session, tenant_id: uuid.UUID, job_id: uuid.UUID) -> None:
    """Erases what one job kept of a student; one that still waits or runs is cancelled first. Twice does no harm."""
    job = jobs.owned(session, tenant_id, job_id)
    if job.state not in FINAL:
        jobs.cancel(session, tenant_id, job_id)
    nothing: dict[str, Any] = {"external_id": None, "callback_url": None, "metadata_": {}, "error": None}
    session.execute(update(Job).where(Job.id == job_id).values(erased_at=func.now(), **nothing))
    session.execute(update(Attempt).where(Attempt.job_id == job_id).values(error=None))
    session.execute(delete(Result).where(Result.job_id == job_id))
    # A submission that another job still needs is kept until that one is erased too.
    others = select(Job.id).where(Job.submission_id == job.submission_id, Job.erased_at.is_(None)).exists()
    mine = update(Submission).where(Submission.id == job.submission_id, ~others)
    emptied = mine.values(text="", prompt=None, fingerprint=None, erased_at=func.now())
    if session.execute(emptied.returning(Submission.id)).first() is not None:
        session.execute(delete(Embedding).where(Embedding.submission_id == job.submission_id))
    session.expire(job)
