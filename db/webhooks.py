"""A tenant's settings of webhooks: secrets, and what was said of endpoints."""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import case, delete, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.webhook import WebhookEndpoint, WebhookSecret

# Two that make or change secrets at once would leave a tenant with two new ones.
LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('gradeline webhook secret ' || :tenant, 0))")


def rotate_secret(session: Session, tenant_id: uuid.UUID, hours: int) -> WebhookSecret:
    """Makes a new secret; the one before signs too for so many hours, and those before it no more."""
    session.execute(LOCK, {"tenant": str(tenant_id)})
    mine = WebhookSecret.tenant_id == tenant_id
    session.execute(delete(WebhookSecret).where(mine, WebhookSecret.expires_at.is_not(None)))
    now = session.scalar(select(func.clock_timestamp()))
    for before in session.scalars(select(WebhookSecret).where(mine)):
        before.expires_at = now + timedelta(hours=hours) if now else None
    return _make(session, tenant_id)


def signing_secrets(session: Session, tenant_id: uuid.UUID) -> Sequence[WebhookSecret]:
    """The secrets that sign now, the newest first; the first is made when it is needed."""
    if not (found := secrets_of(session, tenant_id)):
        session.execute(LOCK, {"tenant": str(tenant_id)})
        found = secrets_of(session, tenant_id) or [_make(session, tenant_id)]
    return found


def secrets_of(session: Session, tenant_id: uuid.UUID) -> Sequence[WebhookSecret]:
    """The secrets that sign now, the newest first."""
    lives = or_(WebhookSecret.expires_at.is_(None), WebhookSecret.expires_at > func.clock_timestamp())
    mine = select(WebhookSecret).where(WebhookSecret.tenant_id == tenant_id, lives)
    return session.scalars(mine.order_by(WebhookSecret.id.desc())).all()


def endpoints_of(session: Session, tenant_id: uuid.UUID, most: int) -> Sequence[WebhookEndpoint]:
    """Endpoints of which something was said, by address."""
    mine = select(WebhookEndpoint).where(WebhookEndpoint.tenant_id == tenant_id)
    return session.scalars(mine.order_by(WebhookEndpoint.url).limit(most)).all()


def set_endpoint(session: Session, tenant_id: uuid.UUID, url: str, payload: str, enabled: bool) -> WebhookEndpoint:
    """Says what an endpoint gets, and whether it gets anything."""
    disabled_at = None if enabled else func.clock_timestamp()
    return _say(session, tenant_id, url, {"payload": payload, "disabled_at": disabled_at})


def disable(session: Session, tenant_id: uuid.UUID, url: str) -> None:
    """Switches an endpoint off that wants no more."""
    _say(session, tenant_id, url, {"disabled_at": func.clock_timestamp()})


def _say(session: Session, tenant_id: uuid.UUID, url: str, said: dict[str, Any]) -> WebhookEndpoint:
    """Writes what is said of an address. Two may say the first of it at once; since when it is off, the first one says."""
    new = insert(WebhookEndpoint).values(tenant_id=tenant_id, url=url, **said)
    off = new.excluded.disabled_at
    since = case((off.is_not(None), func.coalesce(WebhookEndpoint.disabled_at, off)))
    made = new.on_conflict_do_update(index_elements=["tenant_id", "url"], set_={**said, "disabled_at": since})
    return session.scalars(made.returning(WebhookEndpoint), execution_options={"populate_existing": True}).one()


def _make(session: Session, tenant_id: uuid.UUID) -> WebhookSecret:
    made = WebhookSecret(tenant_id=tenant_id, secret=f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}")
    session.add(made)
    session.flush()
    session.refresh(made)
    return made
