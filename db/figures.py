"""What an operator watches: figures over everybody's work."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

RECENT_S = 300.0

# Both sides are read through partial indexes: the table may be long.
NOW = text("""
SELECT queue, CASE WHEN held THEN 'held' ELSE state END AS state, count(*) AS jobs
FROM job WHERE state IN ('queued', 'running') GROUP BY 1, 2 ORDER BY 1, 2
""")
RECENT = text("""
SELECT count(*) AS results, count(*) FILTER (WHERE r.degraded) AS degraded, count(*) FILTER (WHERE r.cached) AS cached
FROM job j JOIN result r ON r.job_id = j.id WHERE j.finished_at > clock_timestamp() - make_interval(secs => :recent_s)
""")


@dataclass(frozen=True)
class Figures:
    """`open_jobs` by (queue, state); results of the last RECENT_S seconds, and how many of them degraded or cached."""

    open_jobs: dict[tuple[str, str], int]
    results: int
    degraded: int
    cached: int


def figures(session: Session) -> Figures:
    """The system's figures now."""
    open_jobs = {(row.queue, row.state): int(row.jobs) for row in session.execute(NOW)}
    recent = session.execute(RECENT, {"recent_s": RECENT_S}).one()
    return Figures(open_jobs, recent.results, recent.degraded, recent.cached)
