"""What an operator watches: figures over everybody's work.

They are read again and again, so each statement reads an index and no further than a limit: a million waiting jobs cost as
much as MOST of them. `tests/unit/db/test_figures.py` looks at the plans.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from db.errors import TookTooLong
from db.job import IN_WINDOW, WAITING
from db.session import Database
from db.window import EACH_QUEUE

RECENT_S = 300.0
# Of each queue, state and table, no more rows are counted.
MOST = 100_000
# Pairs of tenant and batch, in all queues, among which the oldest job is looked for.
SHARES = 2000
# Of the results of RECENT_S, the newest; they are looked up one by one.
RECENT = 2000

# `now()` where a time is looked up: it can be looked up in an index, the clock can't, and all older rows would be read.
HURRY = text("SELECT set_config('statement_timeout', :most_ms, true)")
# What PostgreSQL says of a statement whose time was over.
CANCELLED = "57014"

DEPTHS = text(f"""{EACH_QUEUE}
SELECT q.queue, (SELECT count(*) FROM (SELECT FROM job WHERE {WAITING} AND queue = q.queue LIMIT :most) w) AS jobs FROM q
""")  # noqa: S608 - constants of this package
WINDOW = text(f"""
SELECT queue, count(*) AS jobs, extract(epoch FROM clock_timestamp() - min(dispatched_at)) AS marked_s,
    extract(epoch FROM clock_timestamp() - min(greatest(created_at, retry_at))) AS oldest_s
FROM (SELECT queue, dispatched_at, created_at, retry_at FROM job WHERE {IN_WINDOW} LIMIT :most) w GROUP BY queue
""")  # noqa: S608
# From one (queue, tenant, share) to the next, as the dispatcher does: the first job of each is its oldest.
OLDEST = text(f"""
WITH RECURSIVE share AS (
    (SELECT queue, tenant_id, share_id FROM job WHERE {WAITING} ORDER BY queue, tenant_id, share_id LIMIT 1)
    UNION ALL
    SELECT n.queue, n.tenant_id, n.share_id FROM share s CROSS JOIN LATERAL (
        SELECT queue, tenant_id, share_id FROM job WHERE {WAITING}
            AND (queue, tenant_id, share_id) > (s.queue, s.tenant_id, s.share_id)
        ORDER BY queue, tenant_id, share_id LIMIT 1) n
), few AS (SELECT queue, tenant_id, share_id FROM share LIMIT :shares)
SELECT s.queue, max(extract(epoch FROM clock_timestamp() - greatest(o.created_at, o.retry_at))) AS oldest_s
FROM few s CROSS JOIN LATERAL (
    SELECT created_at, retry_at FROM job WHERE {WAITING} AND queue = s.queue AND tenant_id = s.tenant_id
        AND share_id = s.share_id ORDER BY id LIMIT 1) o
GROUP BY s.queue
""")  # noqa: S608
RUNNING = text("""
SELECT queue, count(*) AS jobs FROM (SELECT queue FROM job WHERE state = 'running' LIMIT :most) r GROUP BY queue
""")
# A batch whose baseline is being made holds its jobs, and no other does.
HELD = text("""
SELECT coalesce(sum(h.jobs), 0) FROM (SELECT id FROM batch WHERE baseline_state = 'making' LIMIT 100) b
CROSS JOIN LATERAL (SELECT count(*) AS jobs FROM (SELECT FROM job WHERE batch_id = b.id AND held LIMIT :most) j) h
""")
FAILED = text("SELECT count(*) FROM (SELECT FROM job WHERE state = 'failed' LIMIT :most) f")
RESULTS = text("""
SELECT count(*) AS results, count(*) FILTER (WHERE r.degraded) AS degraded, count(*) FILTER (WHERE r.cached) AS cached
FROM (
    SELECT id FROM job WHERE finished_at > now() - make_interval(secs => :recent_s)
    ORDER BY finished_at DESC LIMIT :recent
) j JOIN result r ON r.job_id = j.id
""")
PENDING = text("""
SELECT count(*) AS pending, count(*) FILTER (WHERE attempts > attempts_before) AS retried,
    coalesce(extract(epoch FROM clock_timestamp() - min(due_at) FILTER (WHERE taken_until IS NULL)), 0) AS due_s
FROM (SELECT attempts, attempts_before, due_at, taken_until FROM webhook_delivery WHERE state = 'pending' LIMIT :most) p
""")
ENDED = text("""
SELECT state, count(*) AS deliveries FROM (
    SELECT state FROM webhook_delivery WHERE ended_at > now() - make_interval(secs => :recent_s)
    ORDER BY ended_at DESC LIMIT :most
) e GROUP BY state
""")


@dataclass
class QueueNow:
    """A queue of everybody. `waiting`: in the broker (`window`) or not; `oldest_s`: the longest that one of them has waited;
    `marked_s`: the longest that one has been in the broker."""

    waiting: int = 0
    running: int = 0
    window: int = 0
    oldest_s: float = 0.0
    marked_s: float = 0.0


@dataclass(frozen=True)
class Results:
    """Of the last RECENT_S seconds, RECENT at most, and how many of them degraded or cached."""

    results: int
    degraded: int
    cached: int


@dataclass(frozen=True)
class Webhooks:
    """Deliveries that wait, those of them that have failed before, how long one is overdue, and ends of the last RECENT_S."""

    pending: int
    retried: int
    due_s: float
    delivered: int
    failed: int


@contextmanager
def hurried(database: Database, most_ms: int) -> Iterator[Session]:
    """A transaction whose statements may take so long each. DatabaseAway; TookTooLong."""
    try:
        with database.session() as session:
            session.execute(HURRY, {"most_ms": str(most_ms)})
            yield session
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == CANCELLED:
            raise TookTooLong(f"a statement took longer than {most_ms} ms") from error
        raise


def queues_now(session: Session) -> dict[str, QueueNow]:
    """The queues in which work waits or runs."""
    found: dict[str, QueueNow] = {}
    for row in session.execute(DEPTHS, {"most": MOST}):
        found.setdefault(row.queue, QueueNow()).waiting = row.jobs
    for row in session.execute(OLDEST, {"shares": SHARES}):
        found.setdefault(row.queue, QueueNow()).oldest_s = max(0.0, float(row.oldest_s))
    for row in session.execute(WINDOW, {"most": MOST}):
        queue = found.setdefault(row.queue, QueueNow())
        queue.window, queue.marked_s = row.jobs, float(row.marked_s)
        queue.waiting, queue.oldest_s = queue.waiting + row.jobs, max(queue.oldest_s, float(row.oldest_s))
    for row in session.execute(RUNNING, {"most": MOST}):
        found.setdefault(row.queue, QueueNow()).running = row.jobs
    return found


def held_jobs(session: Session) -> int:
    """Jobs that wait for their batch's baseline."""
    return int(session.scalar(HELD, {"most": MOST}) or 0)


def failed_jobs(session: Session) -> int:
    """Jobs that have failed and were not retried, MOST at most."""
    return int(session.scalar(FAILED, {"most": MOST}) or 0)


def recent_results(session: Session) -> Results:
    """The newest results."""
    return Results(*session.execute(RESULTS, {"recent_s": RECENT_S, "recent": RECENT}).one())


def webhooks_now(session: Session) -> Webhooks:
    """Deliveries of everybody."""
    waits = session.execute(PENDING, {"most": MOST}).one()
    ended = {row.state: row.deliveries for row in session.execute(ENDED, {"recent_s": RECENT_S, "most": MOST})}
    late = max(0.0, float(waits.due_s))
    return Webhooks(waits.pending, waits.retried, late, ended.get("delivered", 0), ended.get("failed", 0))
