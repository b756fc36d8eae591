"""Erasure: text, vectors and scores go; the job's id and times stay.

Whoever erases locks submissions first, then jobs, each in the order of ids. The lock on a submission keeps a regrade from
taking it up (`db/jobs.py`), and lets results of its other jobs be written.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from db import audit, jobs, upload
from db.job import FINAL, Attempt, Job, Result
from db.review import Review
from db.submission import Embedding, Submission
from db.webhook import WebhookDelivery

# Of a job: what may say who its student is.
NOTHING: dict[str, Any] = {
    "external_id": None, "callback_url": None, "metadata_": {}, "error": None, "request_id": None, "traceparent": None,
}  # fmt: skip


def erase(session: Session, tenant_id: uuid.UUID, job_id: uuid.UUID, who: str = "operator") -> None:
    """Erases what one job kept of a student; one that still waits or runs is cancelled first. Twice changes nothing."""
    job = jobs.owned(session, tenant_id, job_id)
    kept = lock_submissions(session, [job.submission_id])
    session.refresh(job, with_for_update=True)
    if job.state not in FINAL:
        jobs.cancel(session, tenant_id, job_id)
    # A submission that another job still needs is kept until that one is erased too.
    same = select(Job.id).where(Job.submission_id == job.submission_id, Job.id != job_id, Job.erased_at.is_(None))
    gone = kept if session.scalar(same.limit(1)) is None else []
    scored = session.scalar(select(Result.job_id).where(Result.job_id == job_id)) is not None
    if not (gone or scored or says_more(job)):
        return
    empty_jobs(session, [job_id])
    if gone:
        empty_submissions(session, gone)
    mark(session, [job_id])
    audit.note(session, tenant_id, who, "erased", [job_id])
    session.expire(job)


def lock_submissions(session: Session, ids: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """Those of the submissions that still have their text, locked until the transaction ends."""
    kept = select(Submission.id).where(Submission.id.in_(ids), Submission.erased_at.is_(None))
    # "No key": a foreign key to it can still be written.
    return list(session.scalars(kept.order_by(Submission.id).with_for_update(key_share=True)))


def says_more(job: Job) -> bool:
    """Whether a job's row says more than that it was there and is erased."""
    return job.erased_at is None or any(getattr(job, name) for name in NOTHING)


def mark(session: Session, ids: Sequence[uuid.UUID]) -> None:
    """Jobs say since when something of them is gone: the first time stays."""
    session.execute(update(Job).where(Job.id.in_(ids)).values(erased_at=func.coalesce(Job.erased_at, func.now())))


def empty_jobs(session: Session, ids: Sequence[uuid.UUID]) -> None:
    """Empties jobs of scores and of all that came with them."""
    session.execute(update(Job).where(Job.id.in_(ids)).values(NOTHING))
    session.execute(update(Attempt).where(Attempt.job_id.in_(ids), Attempt.error.is_not(None)).values(error=None))
    session.execute(delete(Result).where(Result.job_id.in_(ids)))
    session.execute(update(Review).where(Review.job_id.in_(ids)).values(scores=None, comment=None, reviewer=None))
    session.execute(delete(WebhookDelivery).where(WebhookDelivery.job_id.in_(ids)))  # its address may name a student


def empty_submissions(session: Session, ids: Sequence[uuid.UUID]) -> None:
    """Empties submissions of their texts, files and vectors."""
    gone = {"text": "", "prompt": None, "fingerprint": None, "erased_at": func.now()}
    session.execute(update(Submission).where(Submission.id.in_(ids)).values(gone))
    session.execute(delete(Embedding).where(Embedding.submission_id.in_(ids)))
    upload.forget(session, ids)
