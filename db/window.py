"""The dispatch window: which waiting jobs are in the broker now. Whether a job is in it is not a state of the job."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.job import IN_WINDOW, WAITING

# One dispatcher a queue at a time, so that two of them can't both fill the same room. What it marks need not reach the disk
# at once: a job whose mark a crash of the server undid is sent again.
LOCK = text("""
SELECT pg_advisory_xact_lock(hashtextextended('gradeline dispatch ' || :queue, 0)), set_config('synchronous_commit', 'off', true)
""")

INSIDE = text(f"SELECT count(*) FROM job WHERE queue = :queue AND {IN_WINDOW}")  # noqa: S608 - constants of this package

# Walks the index from one (tenant, share) to the next instead of reading every waiting row: a million waiting jobs of
# ten batches cost ten look-ups. Within that, the n-th job of each batch comes before the n+1-th of any, and the same
# between tenants, counting what a tenant already has in the workers' hands. Of each batch only twice its share of the room is
# looked at; `more` says that a batch has more than that, of which nobody knows yet whether there is room for it. What somebody
# else is moving at this moment is left to that.
TAKE = text(f"""
WITH RECURSIVE share AS (
    (SELECT tenant_id, share_id FROM job WHERE queue = :queue AND {WAITING} ORDER BY tenant_id, share_id LIMIT 1)
    UNION ALL
    SELECT n.tenant_id, n.share_id FROM share s CROSS JOIN LATERAL (
        SELECT tenant_id, share_id FROM job WHERE queue = :queue AND {WAITING}
            AND (tenant_id, share_id) > (s.tenant_id, s.share_id) ORDER BY tenant_id, share_id LIMIT 1) n
), shared AS (
    SELECT tenant_id, share_id, ceil(2.0 * :room / count(*) OVER ()) AS most FROM share
), busy AS (
    SELECT tenant_id, count(*) AS n FROM job
    WHERE queue = :queue AND (state = 'running' OR ({IN_WINDOW})) GROUP BY tenant_id
), first AS (
    SELECT j.id, s.tenant_id, s.most, row_number() OVER (PARTITION BY s.tenant_id, s.share_id ORDER BY j.id) AS in_share
    FROM shared s CROSS JOIN LATERAL (
        SELECT id FROM job WHERE queue = :queue AND {WAITING} AND tenant_id = s.tenant_id AND share_id = s.share_id
            AND (retry_at IS NULL OR retry_at <= clock_timestamp()) ORDER BY id LIMIT s.most) j
), ranked AS (
    SELECT f.id, f.in_share = f.most AS more,
        row_number() OVER (PARTITION BY f.tenant_id ORDER BY f.in_share, f.id) + coalesce(b.n, 0) AS turn
    FROM first f LEFT JOIN busy b USING (tenant_id)
), taken AS (
    SELECT id, more, row_number() OVER (ORDER BY turn, id) AS place FROM ranked ORDER BY turn, id LIMIT :room
), free AS MATERIALIZED (
    SELECT id FROM job WHERE id = ANY(ARRAY(SELECT id FROM taken)) AND state = 'queued' ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
), marked AS (
    UPDATE job SET dispatched_at = clock_timestamp() FROM taken JOIN free USING (id) WHERE job.id = taken.id
    RETURNING job.id, job.losses, taken.more, taken.place
)
SELECT id, losses, more FROM marked ORDER BY place
""")  # noqa: S608 - constants of this package

# As all that moves several jobs does, these lock them in the order of their ids (db/moves.py).
OUT = """
WITH mine AS (SELECT id FROM job WHERE {which} ORDER BY id FOR NO KEY UPDATE {others})
UPDATE job SET dispatched_at = NULL FROM mine WHERE job.id = mine.id
"""
PUT_BACK = text(OUT.format(which=f"id = ANY(:ids) AND {IN_WINDOW}", others=""))

STALE = text(f"""
SELECT DISTINCT queue FROM job WHERE {IN_WINDOW} AND dispatched_at < clock_timestamp() - make_interval(secs => :after_s)
""")  # noqa: S608

OLD = "(:queue = '' OR queue = :queue) AND dispatched_at < clock_timestamp() - make_interval(secs => :after_s)"
LOST = text(OUT.format(which=f"{IN_WINDOW} AND {OLD}", others="SKIP LOCKED"))

# From one queue to the next in the same way: the beginning of a statement that reads `q`.
EACH_QUEUE = f"""
WITH RECURSIVE q AS (
    (SELECT queue FROM job WHERE {WAITING} ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT n.queue FROM q CROSS JOIN LATERAL (
        SELECT queue FROM job WHERE {WAITING} AND queue > q.queue ORDER BY queue LIMIT 1) n
)
"""  # noqa: S608
QUEUES = text(f"{EACH_QUEUE} SELECT queue FROM q")  # noqa: S608


def room(session: Session, queue: str, size: int) -> int:
    """How many jobs still fit into a queue's window of `size`; nobody else fills it until the transaction ends."""
    session.execute(LOCK, {"queue": queue})
    return max(0, size - int(session.scalar(INSIDE, {"queue": queue}) or 0))


class Taken(NamedTuple):
    """A job that is to be sent, and how often it was lost since it was queued."""

    id: uuid.UUID
    losses: int


def take(session: Session, queue: str, room: int) -> list[Taken]:
    """Puts so many waiting jobs of a queue into its window, in the order of fair share, then age."""
    taken: list[Taken] = []
    while len(taken) < room:
        rows = session.execute(TAKE, {"queue": queue, "room": room - len(taken)}).all()
        taken += [Taken(row.id, row.losses) for row in rows]
        if not any(row.more for row in rows):
            break
    return taken


def put_back(session: Session, ids: Sequence[uuid.UUID]) -> None:
    """Takes jobs out of the window again: their message could not be sent."""
    session.execute(PUT_BACK, {"ids": list(ids)})


def forget_lost(session: Session, after_s: float, queue: str = "") -> int:
    """Takes jobs (of one queue, or all) out of the window that nobody claimed for so long that their message must be lost.

    A message that was merely slow finds its job claimed by then, and ends: sending twice is harmless.
    """
    return int(getattr(session.execute(LOST, {"after_s": after_s, "queue": queue}), "rowcount", 0))


def stale_queues(session: Session, after_s: float) -> list[str]:
    """Queues with jobs in the window that nobody has claimed for so long."""
    return [str(name) for name in session.scalars(STALE, {"after_s": after_s})]


def waiting_queues(session: Session) -> list[str]:
    """Names of the queues in which work waits outside the window."""
    return [str(name) for name in session.scalars(QUEUES)]
