"""How much work waits, runs and has been done, by queue."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.job import IN_WINDOW, WAITING
from db.window import EACH_QUEUE

RATE_S = 60.0

# Each part reads an index of its own, and a long queue's oldest is the first of each share (`db/window.py`): a tenant with a
# million rows that have ended costs no more than one without any. `now()`, because a clock that moves can't be looked up, and
# what has just ended is looked for by its time, whoever's it is: a tenant may have few rows of the last minute among many.
FIGURES = text(f"""{EACH_QUEUE}
, share AS (
    SELECT f.queue, f.share_id FROM q CROSS JOIN LATERAL (
        SELECT queue, share_id FROM job WHERE {WAITING} AND queue = q.queue AND tenant_id = :tenant
        ORDER BY share_id LIMIT 1) f
    UNION ALL
    SELECT n.queue, n.share_id FROM share s CROSS JOIN LATERAL (
        SELECT queue, share_id FROM job WHERE {WAITING} AND queue = s.queue AND tenant_id = :tenant
            AND share_id > s.share_id ORDER BY share_id LIMIT 1) n
), ended AS MATERIALIZED (
    SELECT queue, tenant_id FROM job WHERE finished_at > now() - make_interval(secs => :rate_s)
), part AS (
    SELECT q.queue, (SELECT count(*) FROM job WHERE {WAITING} AND queue = q.queue AND tenant_id = :tenant) AS waiting,
        0 AS held, 0 AS running, 0 AS finished, NULL::timestamptz AS since FROM q
    UNION ALL
    SELECT s.queue, 0, 0, 0, 0, o.created_at FROM share s CROSS JOIN LATERAL (
        SELECT created_at FROM job WHERE {WAITING} AND queue = s.queue AND tenant_id = :tenant AND share_id = s.share_id
        ORDER BY id LIMIT 1) o
    UNION ALL
    SELECT queue, 1, 0, 0, 0, created_at FROM job WHERE {IN_WINDOW} AND tenant_id = :tenant
    UNION ALL
    SELECT queue, 0, 0, 1, 0, NULL FROM job WHERE state = 'running' AND tenant_id = :tenant
    UNION ALL -- a batch whose baseline is being made holds its jobs, and no other does
    SELECT j.queue, 0, 1, 0, 0, NULL FROM batch b JOIN job j ON j.batch_id = b.id
    WHERE b.baseline_state = 'making' AND b.tenant_id = :tenant AND j.held
    UNION ALL
    SELECT queue, 0, 0, 0, 1, NULL FROM ended WHERE tenant_id = :tenant
)
SELECT queue, sum(waiting)::int AS waiting, sum(held)::int AS held, sum(running)::int AS running,
    coalesce(extract(epoch FROM clock_timestamp() - min(since)), 0) AS oldest_s, sum(finished) / :rate_s AS rate
FROM part GROUP BY queue HAVING sum(waiting + held + running + finished) > 0 ORDER BY queue
""")  # noqa: S608 - constants of this package


@dataclass(frozen=True)
class QueueFigures:
    """One queue now. `held`: jobs that wait for their batch's baseline, not for a worker; `rate`: jobs finished a second
    over the last minute; `oldest_s`: age of what waits longest for a worker."""

    queue: str
    waiting: int
    held: int
    running: int
    oldest_s: float
    rate: float

    @property
    def eta_s(self) -> float | None:
        """Seconds until the queue is empty at the present rate; None when nothing has moved in the last minute."""
        left = self.waiting + self.held + self.running
        if left == 0:
            return 0.0
        return left / self.rate if self.rate else None


def queue_figures(session: Session, tenant_id: uuid.UUID) -> list[QueueFigures]:
    """The queues in which a tenant has, or in the last minute had, work."""
    rows = session.execute(FIGURES, {"tenant": tenant_id, "rate_s": RATE_S})
    return [QueueFigures(r.queue, r.waiting, r.held, r.running, float(r.oldest_s), float(r.rate)) for r in rows]
