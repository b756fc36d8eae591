"""The audit: who had what erased or reviewed it, and when. Written in the transaction of what it tells of, and never changed."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, Index, func, select
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, new_id
from db.cursors import make_cursor, read_cursor


class Audit(Base):
    """One line: `who` is the id of a key, or what did it by itself; `subjects` are ids of jobs."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_tenant_id_id", "tenant_id", "id"),)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenant.id"))
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    who: Mapped[str]
    what: Mapped[str]
    count: Mapped[int]
    subjects: Mapped[list[uuid.UUID]] = mapped_column(ARRAY(UUID(as_uuid=True)))


def note(session: Session, tenant_id: uuid.UUID, who: str, what: str, subjects: Sequence[uuid.UUID]) -> None:
    """Adds a line in the caller's transaction."""
    session.add(Audit(tenant_id=tenant_id, who=who, what=what, count=len(subjects), subjects=list(subjects)))


def list_audit(
    session: Session, tenant_id: uuid.UUID, limit: int, cursor: str | None
) -> tuple[list[Audit], str | None]:
    """A page of a tenant's lines, newest first, and the next page's cursor or None. BadCursor for a foreign cursor."""
    mine = select(Audit).where(Audit.tenant_id == tenant_id)
    if cursor:
        mine = mine.where(Audit.id < read_cursor(cursor))
    found = list(session.scalars(mine.order_by(Audit.id.desc()).limit(limit + 1)))
    return found[:limit], make_cursor(found[limit - 1].id) if len(found) > limit else None
