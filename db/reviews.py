"""What people do with results: review, appeal, take the next one in hand."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from db import audit
from db.calibrations import NewExample
from db.cursors import unwrap, wrap
from db.errors import IllegalMove, LeaseGone
from db.finding import JobView, find_job, find_jobs
from db.job import OPEN_REVIEW, Job, Result
from db.review import Review
from db.rubric import Rubric, weights_of
from db.submission import Submission

# A place in the queue: how much a job needs a person, and its id.
PLACE = ">d16s"

# What a rubric has graded more than once is one piece of work. Its newest job stands for it, unless a person has reviewed
# another, has it in hand, or has appealed against it; what was appealed against always stands for itself. Subqueries for a
# value are looked up row by row: of EXISTS a planner might make a reading of all jobs.
WAITS = f"""tenant_id = :tenant AND ({OPEN_REVIEW}) AND (leased_until IS NULL OR leased_until < clock_timestamp())
    AND (CAST(:versions AS uuid[]) IS NULL OR (SELECT rubric_id FROM job WHERE id = job_id) = ANY(:versions))
    AND (appealed_at IS NOT NULL OR (
        SELECT true FROM job mine JOIN job other ON other.submission_id = mine.submission_id
        JOIN result theirs ON theirs.job_id = other.id
        WHERE mine.id = result.job_id AND other.rubric_id = mine.rubric_id AND other.id <> mine.id
            AND (other.id > mine.id OR theirs.reviewed_at IS NOT NULL OR theirs.appealed_at IS NOT NULL
                OR theirs.leased_until >= clock_timestamp()) LIMIT 1
    ) IS NULL)"""  # noqa: S608 - a constant of db.job
QUEUE = text(f"""
SELECT job_id, need FROM result
WHERE {WAITS} AND (CAST(:need AS float8) IS NULL OR (need, job_id) < (:need, CAST(:job AS uuid)))
ORDER BY need DESC, job_id DESC LIMIT :limit
""")  # noqa: S608 - constants
# Two who ask at once: the second passes over the row that the first has locked.
LEASE = text(f"""
UPDATE result SET lease_id = :lease, leased_until = clock_timestamp() + make_interval(secs => :seconds)
WHERE job_id = (
    SELECT job_id FROM result WHERE {WAITS} ORDER BY need DESC, job_id DESC LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING job_id, leased_until
""")  # noqa: S608 - constants
KEEP = text("""
UPDATE result SET leased_until = clock_timestamp() + make_interval(secs => :seconds),
    lease_id = CASE WHEN :seconds > 0 THEN lease_id END
WHERE tenant_id = :tenant AND job_id = :job AND lease_id = :lease AND leased_until >= clock_timestamp()
RETURNING leased_until
""")


@dataclass(frozen=True)
class Lease:
    """A job that somebody has in hand until then."""

    id: uuid.UUID
    job_id: uuid.UUID
    until: datetime


@dataclass(frozen=True)
class Decision:
    """What a person decided: points by criterion, and a word to them. `who` is a key's id."""

    who: str
    scores: dict[str, float]
    comment: str | None = None
    reviewer: str | None = None


def lock(session: Session, tenant_id: uuid.UUID, job_id: uuid.UUID) -> JobView:
    """A job that nobody else reviews or erases until the transaction ends. JobNotFound; IllegalMove without scores."""
    # The job's row comes first, as for whoever erases (`db/erasing.py`); with the result's first, the two could block each other.
    mine = select(Job.id).where(Job.id == job_id, Job.tenant_id == tenant_id)
    session.execute(mine.with_for_update(key_share=True))
    view = find_job(session, tenant_id, job_id)
    if view.result is None:
        raise IllegalMove(
            "its scores were erased" if view.job.erased_at else f"a job that is {view.job.state} has no scores"
        )
    return view


def review(session: Session, view: JobView, decision: Decision) -> None:
    """Puts a decision beside the machine's scores; `view` is locked. What it replaces stays in the list of changes."""
    result, at = view.result, session.scalar(select(func.clock_timestamp()))
    if result is None or at is None:
        raise IllegalMove("it has no scores")
    made = _keep(session, view.job, "review", decision.who, at, decision.reviewer, decision.scores, decision.comment)
    result.review = {
        "id": str(made.id), "scores": decision.scores, "overall": overall_of(view, decision.scores),
        "comment": decision.comment, "at": at.isoformat().replace("+00:00", "Z"), "who": decision.who,
        "reviewer": decision.reviewer,
    }  # fmt: skip
    result.reviewed_at, result.lease_id, result.leased_until = at, None, None
    audit.note(session, view.job.tenant_id, decision.who, "reviewed", [view.job.id])
    session.flush()


def appeal(session: Session, view: JobView, who: str, reason: str) -> JobView:
    """Puts a job at the head of the queue, also one that was reviewed; `view` is locked. Returns it as it is now."""
    at = session.scalar(select(func.clock_timestamp()))
    if view.result is None or at is None:
        raise IllegalMove("it has no scores")
    _keep(session, view.job, "appeal", who, at, None, None, reason)
    view.result.appealed_at = at
    audit.note(session, view.job.tenant_id, who, "appealed", [view.job.id])
    session.flush()
    return replace(view, appeal=reason)


def _keep(
    session: Session, job: Job, what: str, who: str, at: datetime, reviewer: str | None, scores: dict[str, float] | None,
    comment: str | None,
) -> Review:  # fmt: skip
    made = Review(
        tenant_id=job.tenant_id, job_id=job.id, what=what, who=who, at=at, reviewer=reviewer, scores=scores, comment=comment
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made


def overall_of(view: JobView, scores: dict[str, float]) -> float | None:
    """The weighted mean of a person's points, and the machine's where the person gave none, on the overall score's scale."""
    if view.result is None:
        return None
    machine = {each["criterion"]: each["score"] for each in view.result.scores}
    total = weights = 0.0
    for criterion, weight in zip(view.rubric.criteria, weights_of(view.rubric.criteria), strict=True):
        given = scores.get(criterion["name"], machine.get(criterion["name"]))
        if given is not None:
            total += weight * (given - criterion["min"]) / (criterion["max"] - criterion["min"])
            weights += weight
    low, high = float(view.result.overall["min"]), float(view.result.overall["max"])
    return round(low + (high - low) * total / weights, 2) if weights else None


def changes(session: Session, tenant_id: uuid.UUID, job_id: uuid.UUID, limit: int) -> Sequence[Review]:
    """A job's decisions and appeals, newest first. JobNotFound."""
    find_job(session, tenant_id, job_id)
    found = select(Review).where(Review.job_id == job_id, Review.tenant_id == tenant_id)
    return session.scalars(found.order_by(Review.id.desc()).limit(limit)).all()


def queue(
    session: Session, tenant_id: uuid.UUID, rubrics: list[uuid.UUID] | None, limit: int, cursor: str | None
) -> tuple[list[JobView], str | None]:
    """A page of the jobs that nobody has reviewed or has in hand, those first that need it most. BadCursor.

    Of a submission that a rubric version has graded more than once, there is one job at most beside those of appeals.
    """
    need, job = _read(cursor) if cursor else (None, None)
    values = {"tenant": tenant_id, "need": need, "job": job, "versions": rubrics, "limit": limit + 1}
    rows = session.execute(QUEUE, values).all()
    views = {view.job.id: view for view in find_jobs(session, [(tenant_id, row.job_id) for row in rows[:limit]])}
    last = rows[limit - 1] if len(rows) > limit else None
    return [views[row.job_id] for row in rows[:limit] if row.job_id in views], _make(last) if last else None


def lease(session: Session, tenant_id: uuid.UUID, rubrics: list[uuid.UUID] | None, seconds: float) -> Lease | None:
    """Hands out the job that needs a person most and that nobody has in hand; None when there is none."""
    made = uuid.uuid4()
    values = {"tenant": tenant_id, "versions": rubrics, "lease": made, "seconds": seconds}
    row = session.execute(LEASE, values).first()
    return Lease(made, row.job_id, row.leased_until) if row else None


def keep(session: Session, tenant_id: uuid.UUID, job_id: uuid.UUID, lease_id: uuid.UUID, seconds: float) -> Lease:
    """Lengthens a lease, or ends it (0 seconds). JobNotFound; LeaseGone when it ran out or is somebody else's."""
    find_job(session, tenant_id, job_id)
    values = {"tenant": tenant_id, "job": job_id, "lease": lease_id, "seconds": seconds}
    until = session.scalar(KEEP, values)
    if until is None:
        raise LeaseGone("this lease has ended; take the next one")
    return Lease(lease_id, job_id, until)


def examples(session: Session, tenant_id: uuid.UUID, rubric: Rubric, limit: int) -> list[NewExample]:
    """The submissions that people reviewed on a rubric version, each with its last decision; newest first."""
    found = (
        select(Job.submission_id, Result.review["scores"].label("scores"))
        .select_from(Result)
        .join(Job, Job.id == Result.job_id)
        .join(Submission, Submission.id == Job.submission_id)
        .where(Result.tenant_id == tenant_id, Result.reviewed_at.is_not(None), Job.rubric_id == rubric.id)
        .where(Job.erased_at.is_(None), Submission.erased_at.is_(None))
        .order_by(Result.reviewed_at.desc(), Result.job_id)
    )
    newest: dict[uuid.UUID, NewExample] = {}
    for row in session.execute(found.limit(2 * limit)):
        if row.scores:
            newest.setdefault(row.submission_id, NewExample(submission_id=row.submission_id, scores=row.scores))
    return list(newest.values())[:limit]


def _make(row: Any) -> str:
    return wrap(struct.pack(PLACE, row.need, row.job_id.bytes))


def _read(cursor: str) -> tuple[float, uuid.UUID]:
    need, job = struct.unpack(PLACE, unwrap(cursor, struct.calcsize(PLACE)))
    return need, uuid.UUID(bytes=job)
