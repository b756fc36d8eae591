"""How much work waits, counted no further than is asked: a million waiting rows cost no more than the limit that is set.

Waiting is what `/v1/queues` says waits: queued, in the broker or not, and not held for a baseline.
"""

from __future__ import annotations

import uuid

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.job import IN_WINDOW, WAITING
from db.window import EACH_QUEUE

RATE_S = 10.0

# Both read partial indexes alone: that of the dispatcher, and that of the window, in which there is little.
ALL = text(f"""
SELECT (SELECT count(*) FROM (SELECT FROM job WHERE {WAITING} LIMIT :most) w)
    + (SELECT count(*) FROM (SELECT FROM job WHERE {IN_WINDOW} LIMIT :most) w)
""")  # noqa: S608 - constants of this package
# The dispatcher's index begins with the queue: a few of them, each looked into for the tenant.
OF_TENANT = text(f"""{EACH_QUEUE}
SELECT (SELECT count(*) FROM (SELECT FROM q CROSS JOIN LATERAL (
        SELECT FROM job WHERE {WAITING} AND queue = q.queue AND tenant_id = :tenant LIMIT :most) j LIMIT :most) w)
    + (SELECT count(*) FROM (SELECT FROM job WHERE {IN_WINDOW} AND tenant_id = :tenant LIMIT :most) w)
""")  # noqa: S608
# `now()`: a clock that moves can't be looked up in an index. Materialized, so that it is looked up, not each row of a tenant.
RATE = text("""
WITH ended AS MATERIALIZED (
    SELECT tenant_id FROM job WHERE finished_at > now() - make_interval(secs => :rate_s) AND state <> 'cancelled'
)
SELECT count(*) / :rate_s FROM ended WHERE CAST(:tenant AS uuid) IS NULL OR tenant_id = :tenant
""")


def waiting(session: Session, most: int, tenant_id: uuid.UUID | None = None) -> int:
    """Waiting jobs of a tenant, or of all; counted up to `most` in the broker and as many outside it."""
    statement = ALL if tenant_id is None else OF_TENANT
    return int(session.scalar(statement, {"most": most} | ({"tenant": tenant_id} if tenant_id else {})) or 0)


def rate(session: Session, tenant_id: uuid.UUID | None = None) -> float:
    """Jobs of a tenant, or of all, that were graded a second, over the last ten."""
    return float(session.scalar(RATE, {"rate_s": RATE_S, "tenant": tenant_id}) or 0)
