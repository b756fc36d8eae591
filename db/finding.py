"""Reading jobs: one, or a page of them, with their rubric, result and last attempt."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Row, Select, bindparam, case, select, text, tuple_
from sqlalchemy.orm import Session

from db.cursors import make_cursor, read_cursor
from db.errors import JobNotFound
from db.job import Attempt, Job, Result
from db.review import Review
from db.rubric import Rubric, find_versions


@dataclass(frozen=True)
class JobView:
    """A job with all that its readers see. `attempt` is its newest one, `appeal` the reason of the last appeal."""

    job: Job
    rubric: Rubric
    attempt: Attempt | None
    result: Result | None
    appeal: str | None = None


@dataclass(frozen=True)
class Filters:
    """Which jobs a list has; None means any. `rubric`: an id, a `name@version`, or a name, with all versions."""

    state: str | None = None
    batch: uuid.UUID | None = None
    external_id: str | None = None
    rubric: str | None = None
    code: str | None = None  # of a failed job's error


# An appeal is written with the moment that stands in its result. Of jobs without one nothing is looked up.
APPEAL = case(
    (
        Result.appealed_at.is_not(None),
        select(Review.comment)
        .where(Review.job_id == Job.id, Review.what == "appeal", Review.at == Result.appealed_at)
        .scalar_subquery(),
    )
)


def _views() -> Select[Job, Rubric, Attempt, Result, str | None]:
    newest = (Attempt.job_id == Job.id) & (Attempt.number == Job.attempt)
    return (
        select(Job, Rubric, Attempt, Result, APPEAL)
        .join(Rubric, Rubric.id == Job.rubric_id)
        .outerjoin(Attempt, newest)
        .outerjoin(Result, (Result.job_id == Job.id) & (Job.state == "succeeded"))
    )


def _view(row: Row[Job, Rubric, Attempt, Result, str | None]) -> JobView:
    return JobView(row[0], row[1], row[2], row[3], row[4])


# Made once: to put this query together takes longer than to ask it.
ONE = (
    _views()
    .where(Job.id == bindparam("job"), Job.tenant_id == bindparam("tenant"))
    .execution_options(populate_existing=True)
)


def find_job(session: Session, tenant_id: uuid.UUID, job_id: uuid.UUID) -> JobView:
    """One job of a tenant, or JobNotFound."""
    row = session.execute(ONE, {"job": job_id, "tenant": tenant_id}).first()
    if row is None:
        raise JobNotFound("there is no job with this id")
    return _view(row)


OPEN = text("""
SELECT j.id FROM submission s JOIN job j ON j.submission_id = s.id
WHERE s.tenant_id = :tenant AND s.fingerprint = :fingerprint AND s.prompt IS NULL AND j.rubric_id = :rubric
    AND j.state IN ('queued', 'running') AND j.batch_id IS NULL ORDER BY j.id LIMIT 1
""")


def find_open(session: Session, tenant_id: uuid.UUID, rubric_id: uuid.UUID, fingerprint: bytes) -> uuid.UUID | None:
    """A tenant's job on the same text, without a prompt, that waits or runs."""
    found: uuid.UUID | None = session.scalar(
        OPEN, {"tenant": tenant_id, "rubric": rubric_id, "fingerprint": fingerprint}
    )
    return found


def find_jobs(session: Session, owned: Sequence[tuple[uuid.UUID, uuid.UUID]]) -> list[JobView]:
    """Jobs by tenant and id, in no order; those that are not there are left out."""
    rows = session.execute(_views().where(tuple_(Job.tenant_id, Job.id).in_(owned))).all()
    return [_view(row) for row in rows]


def list_jobs(
    session: Session, tenant_id: uuid.UUID, filters: Filters, limit: int, cursor: str | None
) -> tuple[list[JobView], str | None]:
    """A page of a tenant's jobs, newest first, and the next page's cursor or None. BadCursor for a foreign cursor."""
    wanted: list[ColumnElement[bool]] = [Job.tenant_id == tenant_id]
    if cursor:
        wanted.append(Job.id < read_cursor(cursor))
    if filters.state:
        wanted.append(Job.state == filters.state)
    if filters.batch:
        wanted.append(Job.batch_id == filters.batch)
    if filters.external_id is not None:
        wanted.append(Job.external_id == filters.external_id)
    if filters.rubric:
        wanted.append(Job.rubric_id.in_(find_versions(session, tenant_id, filters.rubric)))
    if filters.code:
        wanted += [Job.state == "failed", Job.error["code"].astext == filters.code]
    rows = session.execute(_views().where(*wanted).order_by(Job.id.desc()).limit(limit + 1)).all()
    views = [_view(row) for row in rows[:limit]]
    return views, make_cursor(views[-1].job.id) if len(rows) > limit else None


def batch_jobs(
    session: Session, tenant_id: uuid.UUID, batch_id: uuid.UUID, after: uuid.UUID | None, limit: int
) -> list[JobView]:
    """The next jobs of a tenant's batch in the order of its rows, after the one with an id or from the start."""
    wanted: list[ColumnElement[bool]] = [Job.tenant_id == tenant_id, Job.batch_id == batch_id]
    if after is not None:
        wanted.append(Job.id > after)
    rows = session.execute(_views().where(*wanted).order_by(Job.id).limit(limit))
    return [_view(row) for row in rows]
