"""How much work waits, runs and has been done, by queue."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

RATE_S = 60.0

FIGURES = text("""
SELECT queue, count(*) FILTER (WHERE state = 'queued' AND NOT held) AS waiting, count(*) FILTER (WHERE held) AS held,
    count(*) FILTER (WHERE state = 'running') AS running,
    coalesce(extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE state = 'queued' AND NOT held)), 0) AS oldest_s,
    count(*) FILTER (WHERE finished_at > clock_timestamp() - make_interval(secs => :rate_s)) / :rate_s AS rate
FROM job WHERE tenant_id = :tenant AND (
    state IN ('queued', 'running') OR finished_at > clock_timestamp() - make_interval(secs => :rate_s)
)
GROUP BY queue ORDER BY queue
""")


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
