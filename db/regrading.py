"""New jobs for submissions that a rubric has graded before."""

from __future__ import annotations

import time
import uuid
from dataclasses import asdict

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.rubric import Rubric
from db.work import NO_ORIGIN, Origin

GRADED = "tenant_id = :tenant AND rubric_id = :rubric AND state = 'succeeded' AND erased_at IS NULL"
COUNT = text(f"SELECT count(DISTINCT submission_id) FROM job WHERE {GRADED}")  # noqa: S608 - a constant
# The n-th UUIDv7 of a moment, with a counter of 26 bits after it (RFC 9562, 6.2, method 1): as `db.base.new_ids`, where the
# rows are. Not every server has uuidv7().
NTH_ID = """CAST(CAST(:moment AS text) || '7' || lpad(to_hex(n >> 14), 3, '0') || to_hex(32768 + (n & 16383))
    || right(replace(CAST(gen_random_uuid() AS text), '-', ''), 12) AS uuid)"""
# A class may be long: its jobs are read and written where they are. An erasure that is under way is waited for, and one that
# comes later sees the new jobs (`db/erasing.py`).
REGRADE = text(f"""
WITH newest AS MATERIALIZED (
    SELECT DISTINCT ON (submission_id) id, submission_id, device, allow_degraded, explain, external_id, metadata
    FROM job WHERE {GRADED} ORDER BY submission_id, id DESC
), kept AS MATERIALIZED (
    SELECT id FROM submission WHERE id IN (SELECT submission_id FROM newest) AND erased_at IS NULL ORDER BY id FOR SHARE
), again AS (
    SELECT newest.*, row_number() OVER (ORDER BY submission_id) AS n,
        NOT explain AND EXISTS (SELECT 1 FROM embedding e WHERE e.submission_id = newest.submission_id) AS at_hand
    FROM newest JOIN kept ON kept.id = newest.submission_id
)
INSERT INTO job (id, tenant_id, submission_id, rubric_id, batch_id, share_id, queue, model, device, priority, allow_degraded,
    explain, external_id, metadata, source_id, request_id, traceparent)
SELECT {NTH_ID}, :tenant, submission_id, :rubric, :batch, :batch, CASE WHEN at_hand THEN :light ELSE :heavy END, :model,
    device, 'bulk', allow_degraded, explain, external_id, metadata, id, :request_id, :traceparent
FROM again ORDER BY n
""")  # noqa: S608 - constants of this module


def count(session: Session, tenant_id: uuid.UUID, rubric: Rubric) -> int:
    """How many submissions of the tenant a regrade of the rubric version would grade again."""
    return int(session.scalar(COUNT, {"tenant": tenant_id, "rubric": rubric.id}) or 0)


def regrade(
    session: Session, tenant_id: uuid.UUID, rubric: Rubric, batch_id: uuid.UUID, model: str, light: str, heavy: str,
    origin: Origin = NO_ORIGIN,
) -> int:  # fmt: skip
    """A new queued job for each submission that the rubric version has graded and that was not erased; returns how many.

    Each takes what its submission's newest job was given (external id, metadata); all are one batch. Those of which a
    vector is kept go to the queue `light`; those that a worker must read again, to `heavy`.
    """
    values = {
        "tenant": tenant_id,
        "rubric": rubric.id,
        "batch": batch_id,
        "model": model,
        "light": light,
        "heavy": heavy,
    }
    moment = f"{time.time_ns() // 10**6:012x}"
    made = session.execute(REGRADE, {**values, "moment": moment, **asdict(origin)})
    return int(getattr(made, "rowcount", 0))
