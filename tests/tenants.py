"""Tenants of a test's own: what others have is not in its way."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from db.tenant import Tenant


def new_tenant(session: Session) -> uuid.UUID:
    """Made in the caller's transaction; its id."""
    made = Tenant(name=uuid.uuid4().hex)
    session.add(made)
    session.flush()
    return made.id
