"""The state of calibrations. Like `db/jobs.py` for jobs, the only module that changes it.

queued -> running -> succeeded | failed      running -> queued between two steps, and when a worker is lost
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from db import calibration_moves as moves
from db.batch import Batch
from db.calibration import Calibration, Example
from db.errors import BatchNotFound, CalibrationNotFound
from db.job import Job
from db.rubric import Rubric
from db.submission import Submission, fingerprint_of
from db.upload import Upload

UNREAD = exists().where(Upload.submission_id == Job.submission_id)


@dataclass(frozen=True)
class NewExample:
    """A submission to learn from; either its text, or the id of one that is stored already."""

    text: str = ""
    scores: dict[str, float] | None = None
    submission_id: uuid.UUID | None = None
    scores_2: dict[str, float] | None = None  # a second rater's
    groups: dict[str, str] | None = None


@dataclass(frozen=True)
class Lesson:
    """An example as a worker reads it."""

    position: int
    submission_id: uuid.UUID
    text: str
    prompt: str | None
    scores: dict[str, float] | None
    scores_2: dict[str, float] | None = None
    groups: dict[str, str] | None = None


@dataclass(frozen=True)
class Made:
    """What came of a calibration: a head with its card, or an error (a problem)."""

    revision: str | None = None
    head: bytes | None = None
    sha256: str | None = None
    card: dict[str, Any] | None = None
    report: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


def begin(
    session: Session, tenant_id: uuid.UUID, rubric: Rubric, model: str, queue: str, examples: Sequence[NewExample]
) -> Calibration:
    """Writes a calibration with its examples in the caller's transaction: state queued."""
    graded = sum(e.scores is not None for e in examples)
    made = Calibration(
        tenant_id=tenant_id, rubric_id=rubric.id, model=model, queue=queue, examples=graded, cohort=len(examples) - graded
    )  # fmt: skip
    session.add(made)
    new = {
        n: Submission(tenant_id=tenant_id, text=e.text, fingerprint=fingerprint_of(e.text))
        for n, e in enumerate(examples)
        if e.submission_id is None
    }
    session.add_all(new.values())
    session.flush()
    session.add_all(
        Example(
            calibration_id=made.id, position=n, submission_id=e.submission_id or new[n].id, scores=e.scores,
            scores_2=e.scores_2, groups=e.groups,
        )
        for n, e in enumerate(examples)
    )  # fmt: skip
    session.flush()
    return made


def begin_cohort(
    session: Session, tenant_id: uuid.UUID, rubric: Rubric, model: str, queue: str, submissions: Sequence[uuid.UUID]
) -> Calibration:
    """Writes a calibration by submissions that are stored already and that nobody graded, in one statement for all."""
    made = Calibration(
        tenant_id=tenant_id, rubric_id=rubric.id, model=model, queue=queue, examples=0, cohort=len(submissions)
    )
    session.add(made)
    session.flush()
    session.execute(moves.COHORT, {"id": made.id, "submissions": list(submissions)})
    return made


def batch_cohort(session: Session, tenant_id: uuid.UUID, batch_id: uuid.UUID, limit: int) -> list[NewExample]:
    """The submissions of a tenant's batch, oldest first, without files that nobody has read. BatchNotFound."""
    if session.scalar(select(Batch.id).where(Batch.id == batch_id, Batch.tenant_id == tenant_id)) is None:
        raise BatchNotFound("there is no batch with this id")
    of_batch = select(Job.submission_id).where(
        Job.tenant_id == tenant_id, Job.batch_id == batch_id, Job.erased_at.is_(None), ~UNREAD
    )
    return [NewExample(submission_id=each) for each in session.scalars(of_batch.order_by(Job.id).limit(limit))]


def no_texts(session: Session, tenant_id: uuid.UUID, batch_id: uuid.UUID) -> tuple[int, int, int]:
    """How many jobs a tenant's batch has, how many of them were erased, and how many others are files that nobody has read."""
    erased = Job.erased_at.is_not(None)
    counts = select(func.count(), func.count().filter(erased), func.count().filter(~erased & UNREAD)).select_from(Job)
    row = session.execute(counts.where(Job.tenant_id == tenant_id, Job.batch_id == batch_id)).one()
    return row[0], row[1], row[2]


def claim(session: Session, calibration_id: uuid.UUID, worker: str, lease_s: float) -> Calibration | None:
    """queued -> running; None when another worker has it or it is finished."""
    if session.execute(moves.CLAIM, {"id": calibration_id, "worker": worker, "lease_s": lease_s}).first() is None:
        return None
    return session.get(Calibration, calibration_id, populate_existing=True)


def renew(session: Session, calibration_id: uuid.UUID, worker: str, lease_s: float) -> None:
    """Lengthens the lease of a calibration that is still this worker's."""
    session.execute(moves.RENEW, {"id": calibration_id, "worker": worker, "lease_s": lease_s})


def pause(session: Session, calibration_id: uuid.UUID, worker: str, embedded: int) -> None:
    """running -> queued: the next step is another message, so that jobs get their turn in between."""
    session.execute(moves.PAUSE, {"id": calibration_id, "worker": worker, "embedded": embedded})


def finish(session: Session, calibration_id: uuid.UUID, worker: str, made: Made) -> None:
    """running -> succeeded or failed, if this worker still has it."""
    values = {
        "state": "failed" if made.error else "succeeded",
        "revision": made.revision,
        "head": made.head,
        "sha256": made.sha256,
        "card": json.dumps(made.card),
        "report": json.dumps(made.report) if made.report else None,
        "error": json.dumps(made.error) if made.error else None,
    }
    session.execute(moves.FINISH, {"id": calibration_id, "worker": worker, **values})


def give_up(session: Session, calibration_id: uuid.UUID, error: dict[str, Any]) -> None:
    """queued | running -> failed: nobody needs it any more. A worker that still has it finds nothing to finish."""
    session.execute(moves.GIVE_UP, {"id": calibration_id, "error": json.dumps(error)})


def release(session: Session, worker: str) -> None:
    """running -> queued for what a worker holds that was told to stop."""
    session.execute(moves.RELEASE, {"worker": worker})


def take_back(session: Session, error: dict[str, Any], max_attempts: int) -> int:
    """running -> queued (or failed) for every calibration whose lease ran out."""
    done = session.execute(moves.TAKE_BACK, {"error": json.dumps(error), "max_attempts": max_attempts})
    return int(getattr(done, "rowcount", 0))


def due(session: Session, after_s: float) -> list[tuple[uuid.UUID, str]]:
    """Marks calibrations that wait as sent; returns their ids and queues."""
    return [(row.id, row.queue) for row in session.execute(moves.DUE, {"after_s": after_s})]


def unsent(session: Session, ids: Sequence[uuid.UUID]) -> None:
    """Takes the mark away again: the broker was away."""
    session.execute(moves.UNSENT, {"ids": list(ids)})


def lessons(session: Session, calibration_id: uuid.UUID) -> list[Lesson]:
    """The examples of a calibration whose texts were not erased, in their order."""
    return [Lesson(**row) for row in session.execute(moves.TEXTS, {"id": calibration_id}).mappings()]


def find_calibration(session: Session, tenant_id: uuid.UUID, rubric: Rubric, calibration_id: uuid.UUID) -> Calibration:
    """A tenant's calibration of any version of a rubric, or CalibrationNotFound."""
    found = session.scalar(
        select(Calibration)
        .join(Rubric, Rubric.id == Calibration.rubric_id)
        .where(Calibration.id == calibration_id, Calibration.tenant_id == tenant_id, Rubric.name == rubric.name)
    )
    if found is None:
        raise CalibrationNotFound("there is no calibration with this id")
    return found


def list_calibrations(session: Session, tenant_id: uuid.UUID, rubric: Rubric) -> list[Calibration]:
    """The tenant's calibrations of all versions of a rubric, newest first."""
    mine = select(Calibration).join(Rubric, Rubric.id == Calibration.rubric_id)
    mine = mine.where(Calibration.tenant_id == tenant_id, Rubric.name == rubric.name)
    return list(session.scalars(mine.order_by(Calibration.id.desc()).limit(200)))
