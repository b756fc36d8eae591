"""Idempotency keys: a request that is sent again makes nothing again.

The row of a key is written in the transaction of what the request makes, so that either both are there or neither.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base
from db.errors import KeyInFlight, KeyMismatch


class IdempotencyKey(Base):
    """What the first request with a key was (SHA-256 of its body and kind), and what it made."""

    __tablename__ = "idempotency_key"
    __table_args__ = (Index("ix_idempotency_key_created_at", "created_at"),)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    route: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    made_id: Mapped[uuid.UUID]  # of the job or the batch
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


@dataclass(frozen=True)
class Keyed:
    """A request that has a key."""

    tenant_id: uuid.UUID
    route: str
    key: str
    fingerprint: bytes

    @property
    def place(self) -> dict[str, object]:
        return {"tenant": self.tenant_id, "route": self.route, "key": self.key}


# The lock is held until the first request's transaction ends: whoever does not get it came in between. Nobody waits for
# it, or twins of a batch would hold connections for seconds.
LOOK = text("""
WITH lock AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(hashtextextended(CAST(:lock AS text), 0)) AS free
)
SELECT lock.free, k.fingerprint, k.made_id FROM lock
LEFT JOIN idempotency_key k ON k.tenant_id = :tenant AND k.route = :route AND k.key = :key
""")
KEEP = text("""
INSERT INTO idempotency_key (tenant_id, route, key, fingerprint, made_id)
VALUES (:tenant, :route, :key, :fingerprint, :made) ON CONFLICT DO NOTHING RETURNING key
""")
FORGET = text("""
DELETE FROM idempotency_key WHERE (tenant_id, route, key) IN (
    SELECT tenant_id, route, key FROM idempotency_key
    WHERE created_at < clock_timestamp() - make_interval(hours => :hours)
    ORDER BY created_at LIMIT :most FOR UPDATE SKIP LOCKED
)
""")


def find_made(session: Session, asked: Keyed) -> uuid.UUID | None:
    """What the same request made before; None for the first of its key, which holds the key from now on.

    KeyMismatch when the earlier one had another body, KeyInFlight while it is still being carried out.
    """
    lock = f"gradeline idempotency {asked.tenant_id} {asked.route} {asked.key}"
    row = session.execute(LOOK, {**asked.place, "lock": lock}).one()
    if row.made_id is None and not row.free:
        raise KeyInFlight(
            "the first request with this idempotency key is still being carried out; ask again in a second"
        )
    if row.made_id is not None and bytes(row.fingerprint) != asked.fingerprint:
        raise KeyMismatch("this idempotency key was used for another request; a new request needs a new key")
    made: uuid.UUID | None = row.made_id
    return made


def keep(session: Session, asked: Keyed, made: uuid.UUID) -> None:
    """Writes what the request made in the caller's transaction. KeyInFlight when a twin's was committed meanwhile."""
    if session.execute(KEEP, {**asked.place, "fingerprint": asked.fingerprint, "made": made}).first() is None:
        raise KeyInFlight("another request with this idempotency key was quicker; ask again in a second")


def forget_old(session: Session, hours: int, most: int) -> int:
    """Removes at most so many keys that are older than so many hours; returns how many."""
    return int(getattr(session.execute(FORGET, {"hours": hours, "most": most}), "rowcount", 0))
