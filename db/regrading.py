"""New jobs for submissions that a rubric has graded before."""

from __future__ import annotations

import uuid
from dataclasses import asdict

from sqlalchemy import exists, func, insert, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from db.base import new_id
from db.job import Job
from db.rubric import Rubric
from db.submission import Embedding, Submission
from db.work import NO_ORIGIN, Origin


def regrade(
    session: Session, tenant_id: uuid.UUID, rubric: Rubric, batch_id: uuid.UUID, model: str, light: str, heavy: str,
    origin: Origin = NO_ORIGIN,
) -> int:  # fmt: skip
    """A new queued job for each submission that the rubric version has graded and that was not erased; returns how many.

    Each takes what its submission's newest job was given (external id, metadata); all are one batch. Those of which a
    vector is kept go to the queue `light`; those that a worker must read again, to `heavy`.
    """
    at_hand = exists().where(Embedding.submission_id == Job.submission_id)
    newest = (
        select(Job, at_hand & ~Job.explain)
        .where(
            Job.tenant_id == tenant_id, Job.rubric_id == rubric.id, Job.state == "succeeded", Job.erased_at.is_(None)
        )
        .ext(distinct_on(Job.submission_id))
        .order_by(Job.submission_id, Job.id.desc())
    )
    fields = (
        "tenant_id",
        "submission_id",
        "rubric_id",
        "device",
        "allow_degraded",
        "explain",
        "external_id",
        "metadata_",
    )
    new = {"batch_id": batch_id, "share_id": batch_id, "model": model, "priority": "bulk", **asdict(origin)}
    found = session.execute(newest).all()
    # An erasure that is under way is waited for, and one that comes later sees the new jobs (`db/erasing.py`).
    whole = select(Submission.id).where(Submission.id == func.any([job.submission_id for job, _ in found]))
    whole = whole.where(Submission.erased_at.is_(None)).order_by(Submission.id)
    kept = set(session.scalars(whole.with_for_update(read=True)))
    rows = [
        {
            **{name: getattr(job, name) for name in fields},
            **new,
            "id": new_id(),
            "source_id": job.id,
            "queue": light if light_work else heavy,
        }
        for job, light_work in found
        if job.submission_id in kept
    ]
    if rows:
        session.execute(insert(Job), rows)
    return len(rows)
