"""The baseline of a batch: a calibration by its own submissions, made before they are graded.

While it is made, the batch's jobs are held. Whatever comes of it, `settle` lets them go, in the transaction that says
what came of it: a batch whose baseline is being made holds its jobs, and no other does.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import activation, calibrations, jobs
from db.batch import Batch
from db.calibration import Calibration
from db.rubric import Rubric

FEWEST, MOST = 20, 5000

CANCELLED = {
    "type": "urn:gradeline:problem:cancelled",
    "title": "The calibration was given up",
    "status": 409,
    "code": "cancelled",
    "detail": "The batch that it was made for was cancelled.",
}


def objection(session: Session, rubric: Rubric, size: int) -> str | None:
    """Why a batch of so many submissions gets no baseline; None when it gets one."""
    if size < FEWEST:
        return f"A baseline needs {FEWEST} submissions, and the batch has {size}."
    active = activation.active_calibration(session, rubric.id)
    return f"The rubric's calibration {active.id} is active and grades." if active else None


def begin(
    session: Session, batch: Batch, rubric: Rubric, model: str, queue: str, submissions: Sequence[uuid.UUID]
) -> None:
    """Asks for a calibration by a batch's submissions, or by MOST of them, spread evenly over it."""
    size = min(len(submissions), MOST)
    cohort = [submissions[n * len(submissions) // size] for n in range(size)]
    made = calibrations.begin_cohort(session, batch.tenant_id, rubric, model, queue, cohort)
    batch.baseline_state, batch.calibration_id = "making", made.id
    session.flush()


def settle(session: Session) -> set[str]:
    """For every baseline that was made or has failed: uses it if it can be used, and lets the batch's jobs go.

    Returns their queues. Safe to call from any process at any time.
    """
    ended = (
        select(Batch, Calibration)
        .join(Calibration, Calibration.id == Batch.calibration_id)
        .where(Batch.baseline_state == "making", Calibration.state.in_(("succeeded", "failed")))
        .order_by(Batch.id)
        .with_for_update(of=Batch, key_share=True, skip_locked=True)
    )
    queues: set[str] = set()
    for batch, made in session.execute(ended).all():
        batch.baseline_state, batch.baseline_reason = _outcome(session, made)
        queues |= jobs.release(session, batch.id)
    return queues


def give_up(session: Session, batch: Batch) -> None:
    """Ends the making of a baseline that nobody needs any more. The caller has locked the batch and ended its jobs."""
    if batch.baseline_state == "making" and batch.calibration_id:
        batch.baseline_state, batch.baseline_reason = "skipped", "The batch was cancelled."
        calibrations.give_up(session, batch.calibration_id, CANCELLED)


def _outcome(session: Session, made: Calibration) -> tuple[str, str | None]:
    if made.state == "failed":
        error: dict[str, Any] = made.error or {}
        return "failed", error.get("detail", "The calibration could not be made.")
    other = activation.activate_first(session, made)
    if other is not None:
        return "skipped", f"The rubric's calibration {other.id} became active meanwhile and grades."
    return "used", None
