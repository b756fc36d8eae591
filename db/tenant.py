"""Tenants and their keys."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, new_id

SCOPES = ("submit", "read", "review", "admin")
# How stale `last_used_at` may be: writing it at every request would make each read a write.
LAST_USED_STEP = timedelta(minutes=1)


class Tenant(Base):
    """Somebody whose rows nobody else sees."""

    __tablename__ = "tenant"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Key(Base):
    """An API key. Only its hash is kept."""

    __tablename__ = "api_key"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenant.id"), index=True)
    name: Mapped[str]
    prefix: Mapped[str] = mapped_column(unique=True)
    hash: Mapped[str]
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


@dataclass(frozen=True)
class Caller:
    """Who is asking, and what the key allows."""

    tenant_id: uuid.UUID
    key_id: uuid.UUID
    scopes: frozenset[str]
    tenant: str = ""  # its name

    def may(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes


def _hash(secret: str) -> str:
    # The secret has 256 random bits, so a fast hash is as safe as a slow one and costs no request 50 ms.
    return hashlib.sha256(secret.encode()).hexdigest()


def create_key(session: Session, tenant_id: uuid.UUID, name: str, scopes: tuple[str, ...]) -> str:
    """Makes a key and returns it in clear, for the only time: `gl_<prefix>_<secret>`."""
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    session.add(Key(tenant_id=tenant_id, name=name, prefix=prefix, hash=_hash(secret), scopes=list(scopes)))
    return f"gl_{prefix}_{secret}"


def find_caller(session: Session, token: str) -> Caller | None:
    """The owner of a key that exists, is not revoked and has not expired; None otherwise."""
    start, _, rest = token.partition("_")
    prefix, _, secret = rest.partition("_")
    if start != "gl" or not secret or "\0" in token:
        return None
    mine = select(Key, Tenant.name).join(Tenant, Tenant.id == Key.tenant_id)
    found = session.execute(mine.where(Key.prefix == prefix, Key.revoked_at.is_(None))).first()
    if found is None or not hmac.compare_digest(found[0].hash, _hash(secret)):
        return None
    key, tenant = found
    now = session.scalar(select(func.now()))
    if now is None or (key.expires_at is not None and key.expires_at <= now):
        return None
    if key.last_used_at is None or now - key.last_used_at > LAST_USED_STEP:
        session.execute(update(Key).where(Key.id == key.id).values(last_used_at=now))
    return Caller(key.tenant_id, key.id, frozenset(key.scopes), tenant)


def default_tenant(session: Session) -> Tenant:
    """The tenant of a stack that serves one school; made at the first start."""
    tenant = session.scalar(select(Tenant).where(Tenant.name == "default"))
    if tenant is None:
        tenant = Tenant(name="default")
        session.add(tenant)
        session.flush()
    return tenant
