"""The state of jobs. This is the only module that changes it, and every change names the state it comes from.

    queued -> running -> succeeded | failed | cancelled      running -> queued when a worker is lost or hands back
    queued -> cancelled                                      failed | cancelled -> queued by a person's retry

A worker's write carries the attempt number it was given, so a twin that comes late changes nothing.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pydantic_core import to_json
from sqlalchemy import RowMapping, select
from sqlalchemy.orm import Session

from db import moves, upload
from db.base import new_id
from db.errors import IllegalMove, JobNotFound
from db.job import Job
from db.moves import MOVED
from db.rubric import Rubric, find_versions
from db.submission import fingerprint_of
from db.work import Claimed, Finished, NewJob, Scorer


def submit(session: Session, tenant_id: uuid.UUID, rubric: Rubric, new: NewJob) -> Job:
    """Writes a submission and its job in the caller's transaction: state queued. The object is of no session."""
    submission_id, job_id = new_id(), new_id()
    known = {
        "id": job_id, "tenant_id": tenant_id, "submission_id": submission_id, "rubric_id": rubric.id,
        "share_id": new.batch_id or tenant_id, "batch_id": new.batch_id, "queue": new.queue, "model": new.model,
        "device": new.device, "priority": new.priority, "allow_degraded": new.allow_degraded, "explain": new.explain,
        "external_id": new.external_id, "callback_url": new.callback_url,
        **asdict(new.origin),
    }  # fmt: skip
    fingerprint = None if new.file else fingerprint_of(new.text)
    text = {"text": new.text, "prompt": new.prompt, "fingerprint": fingerprint}
    created = session.scalar(moves.SUBMIT, {**known, **text, "metadata": to_json(new.metadata).decode()})
    if new.file:
        upload.keep(session, [(submission_id, new.file)])
    return Job(**known, metadata_=new.metadata, created_at=created, state="queued", attempt=0, held=False)


def claim(
    session: Session, ids: Sequence[uuid.UUID], worker: str, lease_s: float, scorer: Scorer | None = None,
    losses: int | None = None,
) -> list[Claimed]:  # fmt: skip
    """queued -> running for those of the ids that still wait; what others hold or have finished is left out.

    `losses`: only jobs that were lost just so often; None: any. Jobs bring what the scorer made of their texts before.
    """
    values = {"ids": list(ids), "worker": worker, "lease_s": lease_s, "losses": losses, **asdict(scorer or Scorer())}
    rows = session.execute(moves.CLAIM, {**values, "channel": MOVED})
    # A rubric comes with the first of its jobs alone: a class is graded by one.
    criteria: dict[uuid.UUID, list[dict[str, Any]]] = {}
    return [
        Claimed(**{**row, "criteria": criteria.setdefault(row["rubric_id"], row["criteria"])})
        for row in rows.mappings()
    ]


def renew(session: Session, held: Sequence[Claimed], lease_s: float) -> int:
    """Lengthens the leases of jobs that are still this attempt's; returns how many."""
    pairs = {"ids": [h.id for h in held], "numbers": [h.attempt for h in held]}
    result = session.execute(moves.RENEW, {**pairs, "lease_s": lease_s})
    return int(getattr(result, "rowcount", 0))


def finish(session: Session, finished: Sequence[Finished], model: str, revision: str) -> set[uuid.UUID]:
    """running -> succeeded or failed with all that came of it, where the attempt still holds the job; the ids that moved.

    `model` and `revision` are those of the encoder that made the vectors, which are all of one length.
    """
    began = time.perf_counter()
    items = [
        {"job_id": f.job_id, "attempt": f.attempt, "error": f.error, "run": f.run, **(f.result or {})} for f in finished
    ]
    new = [f for f in finished if f.vector is not None]
    values = {
        "items": to_json(items).decode(),
        "ids": [f.job_id for f in new],
        "vectors": b"".join(f.vector or b"" for f in new),
        "surfaces": b"".join(f.surface or b"" for f in new),
        "width": len(new[0].vector or b"") if new else 0,
        "counted": len(new[0].surface or b"") if new else 0,
        "model": model,
        "revision": revision,
        "channel": MOVED,
    }
    packed_ms = (time.perf_counter() - began) * 1000
    return set(session.scalars(moves.FINISH, {**values, "packed_ms": packed_ms}))


def hand_back(
    session: Session, held: Sequence[Claimed], error: dict[str, Any], max_attempts: int, backoff_s: float,
    counted: bool = True,
) -> list[RowMapping]:  # fmt: skip
    """running -> queued (or failed, without an attempt left) for an attempt that could not be finished.

    What is not `counted` is no loss, and waits for nothing: a worker that was told to stop hands back so.
    """
    pairs = {"ids": [h.id for h in held], "numbers": [h.attempt for h in held], "counted": int(counted)}
    return _back(session, moves.HAND_BACK, "handed_back", error, max_attempts, backoff_s, **pairs)


def take_from(
    session: Session, worker: str, ids: Sequence[uuid.UUID] | None, error: dict[str, Any], max_attempts: int,
    backoff_s: float, counted: bool = True,
) -> list[RowMapping]:  # fmt: skip
    """running -> queued (or failed) for those of the ids (None: all jobs) that a worker holds, whose child has ended."""
    which = {"worker": worker, "everything": ids is None, "ids": list(ids or []), "counted": int(counted)}
    return _back(
        session, moves.TAKE_FROM, "lost" if counted else "handed_back", error, max_attempts, backoff_s, **which
    )


def take_back(session: Session, error: dict[str, Any], max_attempts: int, backoff_s: float) -> list[RowMapping]:
    """running -> queued (or failed) for every job whose lease ran out: its worker is gone."""
    return _back(session, moves.TAKE_BACK, "lost", error, max_attempts, backoff_s)


def _back(session: Session, statement: Any, outcome: str, error: dict[str, Any], max_attempts: int, backoff_s: float,
          **which: Any) -> list[RowMapping]:  # fmt: skip
    values = {"outcome": outcome, "error": json.dumps(error), "max_losses": max_attempts, "backoff_s": backoff_s}
    return list(session.execute(statement, {**values, "counted": 1, **which, "channel": MOVED}).mappings())


def cancel(session: Session, tenant_id: uuid.UUID, job_id: uuid.UUID) -> None:
    """queued | running -> cancelled; a job that is cancelled already stays so. IllegalMove from other final states."""
    if not session.scalar(moves.CANCEL_ONE, {"id": job_id, "tenant": tenant_id, "channel": MOVED}):
        job = owned(session, tenant_id, job_id)
        if job.state != "cancelled":
            raise IllegalMove(f"a job that has {job.state} can't be cancelled")


def cancel_batch(session: Session, tenant_id: uuid.UUID, batch_id: uuid.UUID) -> int:
    """queued | running -> cancelled for all jobs of a batch; returns how many."""
    return int(session.scalar(moves.CANCEL_BATCH, {"id": batch_id, "tenant": tenant_id, "channel": MOVED}) or 0)


def release(session: Session, batch_id: uuid.UUID) -> set[str]:
    """Lets the jobs of a batch go that were held; returns their queues."""
    return {str(queue) for queue in session.scalars(moves.RELEASE, {"batch": batch_id})}


def retry(session: Session, tenant_id: uuid.UUID, job_id: uuid.UUID) -> str:
    """failed | cancelled -> queued; returns its queue. IllegalMove from other states and after an erasure."""
    row = session.execute(moves.RETRY, {"id": job_id, "tenant": tenant_id, "channel": MOVED}).first()
    if row is None:
        job = owned(session, tenant_id, job_id)
        raise IllegalMove("its text was erased" if job.erased_at else f"a job that is {job.state} can't be retried")
    return str(row.queue)


def count_failed(
    session: Session, tenant_id: uuid.UUID, limit: int, batch_id: uuid.UUID | None = None, code: str | None = None,
    rubric: str | None = None,
) -> int:  # fmt: skip
    """How many jobs `retry_failed` would queue again."""
    return int(session.scalar(moves.COUNT_FAILED, _failed(session, tenant_id, limit, batch_id, code, rubric)) or 0)


def retry_failed(
    session: Session, tenant_id: uuid.UUID, limit: int, batch_id: uuid.UUID | None = None, code: str | None = None,
    rubric: str | None = None,
) -> dict[str, int]:  # fmt: skip
    """failed -> queued for at most `limit` of a tenant's jobs that fit and were not erased; how many, by queue.

    `rubric` as in a list of jobs (`db/finding.py`).
    """
    which = _failed(session, tenant_id, limit, batch_id, code, rubric)
    rows = session.execute(moves.RETRY_FAILED, {**which, "channel": MOVED})
    return {str(row.queue): int(row.jobs) for row in rows}


def _failed(
    session: Session, tenant_id: uuid.UUID, limit: int, batch_id: uuid.UUID | None, code: str | None, rubric: str | None
) -> dict[str, Any]:
    """Which failed jobs are meant, as `moves.FAILED` takes it."""
    rubrics = find_versions(session, tenant_id, rubric) if rubric else None
    return {"tenant": tenant_id, "limit": limit, "batch": batch_id, "code": code, "rubrics": rubrics}


def owned(session: Session, tenant_id: uuid.UUID, job_id: uuid.UUID) -> Job:
    """The tenant's job with an id, or JobNotFound."""
    # The tenant is asked for in the statement: to read a stranger's row takes longer than to find none, and would tell of it.
    job = session.scalar(select(Job).where(Job.id == job_id, Job.tenant_id == tenant_id))
    if job is None:
        raise JobNotFound("there is no job with this id")
    return job
