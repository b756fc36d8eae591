"""Deliveries of webhooks: which are due, who sends them, what came of them. The rows decide; messages only carry ids."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select, text, update
from sqlalchemy.orm import Session

from db.cursors import make_cursor, read_cursor
from db.errors import DeliveryNotFound
from db.job import Job
from db.webhook import WebhookDelivery
from db.webhooks import disable
from db.work import NO_ORIGIN, Origin

# The channel on which senders hear that something is due, or that there is room for more.
DUE = "gradeline_hook"

# Batches whose last job has ended. It's looked for rather than noticed: of two jobs that end at the same moment, in two
# transactions, neither sees that the other was the last but one.
TELL_BATCHES = text("""
WITH mine AS (
    SELECT id FROM batch b WHERE callback_url IS NOT NULL AND told_at IS NULL
        AND NOT EXISTS (SELECT FROM job WHERE batch_id = b.id AND state IN ('queued', 'running'))
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
), over AS (
    UPDATE batch b SET told_at = clock_timestamp() FROM mine WHERE b.id = mine.id
    RETURNING b.id, b.tenant_id, b.callback_url, b.cancelled_at
)
INSERT INTO webhook_delivery (id, tenant_id, batch_id, type, url, host)
SELECT gradeline_uuid7(), tenant_id, id, CASE WHEN cancelled_at IS NULL THEN 'batch.finished' ELSE 'batch.cancelled' END,
    callback_url, gradeline_host(callback_url)
FROM over
""")

# From endpoint to endpoint, a few of each: one that is slow, or has ten thousand waiting, holds up no other.
TAKE = text("""
WITH RECURSIVE endpoint AS (
    (SELECT tenant_id, host FROM webhook_delivery WHERE state = 'pending' ORDER BY tenant_id, host LIMIT 1)
    UNION ALL
    SELECT following.tenant_id, following.host FROM endpoint e, LATERAL (
        SELECT tenant_id, host FROM webhook_delivery
        WHERE state = 'pending' AND (tenant_id, host) > (e.tenant_id, e.host) ORDER BY tenant_id, host LIMIT 1
    ) following
), held AS (
    SELECT e.tenant_id, e.host, count(d.id) AS jobs FROM endpoint e LEFT JOIN webhook_delivery d
        ON d.state = 'pending' AND d.tenant_id = e.tenant_id AND d.host = e.host AND d.taken_until > clock_timestamp()
    GROUP BY 1, 2
), due AS (
    SELECT d.id FROM held h, LATERAL (
        SELECT id, due_at FROM webhook_delivery
        WHERE state = 'pending' AND tenant_id = h.tenant_id AND host = h.host AND due_at <= clock_timestamp()
            AND (taken_until IS NULL OR taken_until <= clock_timestamp())
        ORDER BY due_at LIMIT greatest(0, :each - h.jobs)
    ) d ORDER BY d.due_at LIMIT greatest(0, :most - (SELECT coalesce(sum(jobs), 0)::bigint FROM held))
)
UPDATE webhook_delivery SET taken_until = clock_timestamp() + make_interval(secs => :hold_s)
WHERE id IN (SELECT id FROM due) AND state = 'pending' AND (taken_until IS NULL OR taken_until <= clock_timestamp())
RETURNING id, attempts
""")

# The number of attempts makes a message that comes twice, or late, harmless.
CLAIM = text("""
UPDATE webhook_delivery d SET attempts = attempts + 1, taken_until = clock_timestamp() + make_interval(secs => :hold_s)
WHERE id = :id AND state = 'pending' AND attempts = :attempts
RETURNING id, tenant_id, job_id, batch_id, type, url, created_at, attempts, attempts_before, (
    SELECT payload = 'full' FROM webhook_endpoint e WHERE e.tenant_id = d.tenant_id AND e.url = d.url) AS whole, EXISTS (
    SELECT FROM webhook_endpoint e WHERE e.tenant_id = d.tenant_id AND e.url = d.url AND e.disabled_at IS NOT NULL
) AS disabled
""")

SETTLE = text(f"""
UPDATE webhook_delivery SET state = CAST(:state AS text), last_at = clock_timestamp(), last_status = :status, last_error = :error,
    taken_until = NULL, ended_at = CASE WHEN CAST(:state AS text) <> 'pending' THEN clock_timestamp() END,
    due_at = clock_timestamp() + make_interval(secs => :again_s)
WHERE id = :id AND attempts = :attempts AND state = 'pending' RETURNING pg_notify('{DUE}', '')
""")  # noqa: S608 - a constant of this module


@dataclass(frozen=True)
class Held:
    """A delivery that a sender now holds."""

    id: uuid.UUID
    tenant_id: uuid.UUID
    job_id: uuid.UUID | None
    batch_id: uuid.UUID | None
    type: str
    url: str
    created_at: datetime
    attempts: int
    attempts_before: int
    whole: bool | None
    disabled: bool


@dataclass(frozen=True)
class Outcome:
    """What came of one attempt. `again_s`: seconds until the next one; None when there is none."""

    delivered: bool = False
    status: int | None = None
    error: str | None = None
    again_s: float | None = None
    gone: bool = False  # the endpoint wants no more


@dataclass(frozen=True)
class DeliveryFilters:
    """Which deliveries a list has; None means any."""

    state: str | None = None
    job: uuid.UUID | None = None
    batch: uuid.UUID | None = None
    type: str | None = None


def tell_batches(session: Session) -> None:
    """Writes the deliveries of batches that have ended since the last time."""
    session.execute(TELL_BATCHES)


def take(session: Session, each: int, most: int, hold_s: float) -> list[tuple[uuid.UUID, int]]:
    """Ids and attempts of due deliveries: so many that no endpoint has more than `each`, and all together `most`."""
    rows = session.execute(TAKE, {"each": each, "most": most, "hold_s": hold_s})
    return [(row.id, row.attempts) for row in rows]


def put_back(session: Session, ids: Sequence[uuid.UUID]) -> None:
    """Lets go of deliveries whose messages could not be sent."""
    ours = (WebhookDelivery.id.in_(ids), WebhookDelivery.state == "pending")
    session.execute(update(WebhookDelivery).where(*ours).values(taken_until=None))


def claim(session: Session, delivery_id: uuid.UUID, attempts: int, hold_s: float) -> Held | None:
    """The delivery, held by the caller for so long; None when another attempt was made since."""
    row = session.execute(CLAIM, {"id": delivery_id, "attempts": attempts, "hold_s": hold_s}).mappings().first()
    return Held(**row) if row else None


def origin(session: Session, held: Held) -> Origin:
    """The request that a delivery's job, or its batch, came with."""
    which = Job.id == held.job_id if held.job_id is not None else Job.batch_id == held.batch_id
    found = session.execute(select(Job.request_id, Job.traceparent).where(which).order_by(Job.id).limit(1)).first()
    return Origin(*found) if found else NO_ORIGIN


def settle(session: Session, held: Held, outcome: Outcome) -> None:
    """Writes what came of an attempt; an endpoint that is gone gets no more."""
    again = not outcome.delivered and outcome.again_s is not None
    state = "delivered" if outcome.delivered else "pending" if again else "failed"
    values = {"id": held.id, "attempts": held.attempts, "state": state, "status": outcome.status}
    session.execute(SETTLE, {**values, "error": outcome.error, "again_s": outcome.again_s or 0})
    if outcome.gone:
        disable(session, held.tenant_id, held.url)


def list_deliveries(
    session: Session, tenant_id: uuid.UUID, filters: DeliveryFilters, limit: int, cursor: str | None
) -> tuple[list[WebhookDelivery], str | None]:
    """A page of a tenant's deliveries, newest first, and the next page's cursor or None. BadCursor for a foreign one."""
    wanted: list[ColumnElement[bool]] = [WebhookDelivery.tenant_id == tenant_id]
    if cursor:
        wanted.append(WebhookDelivery.id < read_cursor(cursor))
    for column, value in (
        (WebhookDelivery.state, filters.state),
        (WebhookDelivery.job_id, filters.job),
        (WebhookDelivery.batch_id, filters.batch),
        (WebhookDelivery.type, filters.type),
    ):
        if value is not None:
            wanted.append(column == value)
    newest = select(WebhookDelivery).where(*wanted).order_by(WebhookDelivery.id.desc()).limit(limit + 1)
    rows = list(session.scalars(newest))
    return rows[:limit], make_cursor(rows[limit - 1].id) if len(rows) > limit else None


def redeliver(session: Session, tenant_id: uuid.UUID, delivery_id: uuid.UUID) -> WebhookDelivery:
    """Makes a tenant's delivery due now, with all retries before it; it keeps its id. DeliveryNotFound otherwise."""
    mine = (WebhookDelivery.id == delivery_id, WebhookDelivery.tenant_id == tenant_id)
    found = session.scalar(select(WebhookDelivery).where(*mine).with_for_update())
    if found is None:
        raise DeliveryNotFound("there is no delivery with this id")
    found.state, found.ended_at, found.taken_until, found.attempts_before = "pending", None, None, found.attempts
    found.due_at = session.scalar(select(func.clock_timestamp())) or found.due_at
    session.flush()
    session.execute(select(func.pg_notify(DUE, "")))
    return found


def forget_old(session: Session, days: int, most: int) -> None:
    """Deletes deliveries that ended that long ago, so many at a time."""
    before = func.clock_timestamp() - func.make_interval(0, 0, 0, days)
    old = select(WebhookDelivery.id).where(WebhookDelivery.ended_at < before)
    old = old.order_by(WebhookDelivery.ended_at).limit(most).with_for_update(skip_locked=True)
    session.execute(delete(WebhookDelivery).where(WebhookDelivery.id.in_(old.scalar_subquery())))
