"""Which calibration a rubric version grades with."""

from __future__ import annotations

import uuid

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.calibration import Calibration
from db.errors import IllegalMove
from db.rubric import Rubric


def active_calibration(session: Session, rubric_id: uuid.UUID) -> Calibration | None:
    """The calibration that a rubric version uses now."""
    return session.scalar(select(Calibration).where(Calibration.rubric_id == rubric_id, Calibration.active))


def newest_made(session: Session, rubric_id: uuid.UUID) -> Calibration | None:
    """The newest calibration of a rubric version that has a head."""
    made = select(Calibration).where(Calibration.rubric_id == rubric_id, Calibration.state == "succeeded")
    return session.scalar(made.order_by(Calibration.id.desc()).limit(1))


def activate(session: Session, calibration: Calibration) -> None:
    """Makes it the one that its rubric version uses. IllegalMove while it is not made."""
    if calibration.state != "succeeded":
        raise IllegalMove(f"a calibration that is {calibration.state} can't be activated")
    _lock(session, calibration)
    session.execute(update(Calibration).where(Calibration.rubric_id == calibration.rubric_id).values(active=False))
    session.execute(update(Calibration).where(Calibration.id == calibration.id).values(active=True))
    session.refresh(calibration)


def activate_first(session: Session, calibration: Calibration) -> Calibration | None:
    """Makes it the one that its rubric version uses, unless there is another: then returns that one."""
    _lock(session, calibration)
    active = active_calibration(session, calibration.rubric_id)
    if active is not None and active.id != calibration.id:
        return active
    activate(session, calibration)
    return None


def _lock(session: Session, calibration: Calibration) -> None:
    """Two who activate at once: one after the other. Jobs of the rubric can be submitted meanwhile."""
    locked = select(Rubric.id).where(Rubric.id == calibration.rubric_id).with_for_update(key_share=True)
    session.execute(locked)


def deactivate(session: Session, calibration: Calibration) -> None:
    """The rubric version goes back to the head that comes along."""
    session.execute(update(Calibration).where(Calibration.id == calibration.id).values(active=False))
    session.refresh(calibration)
