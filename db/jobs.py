"""The state of jobs. This is the only module that changes it, and every change names the state it comes from.

    queued -> running -> succeeded | failed | cancelled      running -> queued when a worker is lost or hands back
    queued -> cancelled                                      failed | cancelled -> queued by a person's retry

A worker's write carries the attempt number it was given, so a twin that comes late changes nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import RowMapping, exists, insert, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from db.base import new_id
from db.embeddings import keep_vectors
from db.errors import IllegalMove, JobNotFound
from db.job import Job
from db.rubric import Rubric
from db.submission import Embedding, Submission, fingerprint_of

# Listeners (a client that waits, an event stream) are told the id of every job that moved.
MOVED = "gradeline_job"

CLAIM = text("""
WITH mine AS (
    SELECT id FROM job WHERE id = ANY(:ids) AND state = 'queued' AND NOT held
        AND (retry_at IS NULL OR retry_at <= clock_timestamp())
    ORDER BY id FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE job SET state = 'running', attempt = attempt + 1, started_at = clock_timestamp(), dispatched_at = NULL,
        lease_until = clock_timestamp() + make_interval(secs => :lease_s), worker = :worker
    FROM mine WHERE job.id = mine.id RETURNING job.*
), noted AS (
    INSERT INTO attempt (job_id, number, worker, started_at, queue_ms)
    SELECT id, attempt, worker, started_at,
        extract(epoch FROM started_at - greatest(created_at, coalesce(retry_at, created_at))) * 1000 FROM claimed
), told AS (SELECT count(pg_notify(:channel, id::text)) FROM claimed)
SELECT c.id, c.attempt, c.allow_degraded, c.explain, s.text, coalesce(s.prompt, r.prompt) AS prompt,
    r.id AS rubric_id, CASE WHEN row_number() OVER (PARTITION BY r.id ORDER BY c.id) = 1 THEN r.criteria END AS criteria,
    k.id AS calibration_id, e.vector, e.surface, p.topic, p.advisories, same.result AS known
FROM claimed c JOIN submission s ON s.id = c.submission_id JOIN rubric r ON r.id = c.rubric_id
LEFT JOIN calibration k ON k.rubric_id = r.id AND k.active
LEFT JOIN LATERAL (
    SELECT e.vector, e.surface FROM submission t
    JOIN embedding e ON e.submission_id = t.id AND e.model = :model AND e.revision = :revision
    WHERE t.tenant_id = s.tenant_id AND t.fingerprint = s.fingerprint AND (CAST(:reuse AS boolean) OR t.id = s.id) LIMIT 1
) e ON true
LEFT JOIN result p ON p.job_id = c.source_id AND p.scored_by->>'model' = :model AND p.scored_by->>'revision' = :revision
LEFT JOIN LATERAL (
    SELECT jsonb_build_object('scores', q.scores, 'overall', q.overall, 'advisories', q.advisories,
        'scored_by', q.scored_by, 'degraded', false, 'review_reasons', q.review_reasons, 'topic', q.topic) AS result
    FROM submission t JOIN job o ON o.submission_id = t.id JOIN result q ON q.job_id = o.id
    WHERE CAST(:reuse AS boolean) AND c.source_id IS NULL AND t.tenant_id = s.tenant_id AND t.fingerprint = s.fingerprint
        AND t.prompt IS NOT DISTINCT FROM s.prompt AND o.rubric_id = c.rubric_id AND o.explain = c.explain
        AND o.state = 'succeeded' AND o.erased_at IS NULL AND NOT q.degraded
        AND q.scored_by->>'model' = :model AND q.scored_by->>'revision' = :revision AND q.scored_by->>'engine' = :engine
        AND q.scored_by->>'calibration' IS NOT DISTINCT FROM k.id::text
        AND (k.id IS NOT NULL OR q.scored_by->>'head' = :head)
    LIMIT 1
) same ON true, told ORDER BY c.id
""")

RENEW = text("""
UPDATE job SET lease_until = clock_timestamp() + make_interval(secs => :lease_s)
FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS int[])) AS held(id, number)
WHERE job.id = held.id AND job.attempt = held.number AND job.state = 'running'
""")

KEEP = text("""
WITH item AS (
    SELECT * FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS x(job_id uuid, attempt int, scores jsonb, overall jsonb,
        advisories jsonb, scored_by jsonb, degraded boolean, review_reasons text[], topic float8[], cached boolean)
), held AS (
    SELECT j.id, j.submission_id, j.attempt FROM job j JOIN item i ON j.id = i.job_id AND j.attempt = i.attempt
    WHERE j.state = 'running' ORDER BY j.id FOR UPDATE OF j
), kept AS (
    INSERT INTO result (job_id, attempt, scores, overall, advisories, scored_by, degraded, review_reasons, topic, cached)
    SELECT i.job_id, i.attempt, i.scores, i.overall, i.advisories, i.scored_by, i.degraded, i.review_reasons, i.topic,
        coalesce(i.cached, false)
    FROM item i JOIN held h ON h.id = i.job_id
    ON CONFLICT (job_id) DO UPDATE SET attempt = excluded.attempt, scores = excluded.scores, overall = excluded.overall,
        advisories = excluded.advisories, scored_by = excluded.scored_by, degraded = excluded.degraded,
        review_reasons = excluded.review_reasons, topic = excluded.topic, cached = excluded.cached, created_at = now()
)
SELECT id, submission_id FROM held
""")

FINISH = text("""
WITH item AS (
    SELECT * FROM jsonb_to_recordset(CAST(:items AS jsonb))
        AS x(job_id uuid, attempt int, state text, error jsonb, run jsonb)
), done AS (
    UPDATE job SET state = i.state, finished_at = clock_timestamp(), lease_until = NULL, error = i.error
    FROM item i WHERE job.id = i.job_id AND job.attempt = i.attempt AND job.state = 'running'
    RETURNING job.id, job.attempt, job.state, job.created_at, job.finished_at, i.error, i.run
), noted AS (
    UPDATE attempt a SET outcome = d.state, finished_at = d.finished_at, error = d.error,
        model = d.run->>'model', revision = d.run->>'revision', engine = d.run->>'engine', device = d.run->>'device',
        batch_size = (d.run->>'batch_size')::int, tokens = (d.run->>'tokens')::int, windows = (d.run->>'windows')::int,
        tokenize_ms = (d.run->>'tokenize_ms')::float, inference_ms = (d.run->>'inference_ms')::float,
        persist_ms = :persist_ms, total_ms = extract(epoch FROM d.finished_at - d.created_at) * 1000
    FROM done d WHERE a.job_id = d.id AND a.number = d.attempt
)
SELECT id, count(pg_notify(:channel, id::text)) FROM done GROUP BY id
""")

# The reason stays with the attempt; the job gets one only when it has no attempt left.
BACK = """
WITH gone AS (
    SELECT id, attempt FROM job WHERE state = 'running' AND {which} ORDER BY id {limit} FOR UPDATE SKIP LOCKED
), noted AS (
    UPDATE attempt a SET outcome = :outcome, finished_at = clock_timestamp(), error = CAST(:error AS jsonb)
    FROM gone WHERE a.job_id = gone.id AND a.number = gone.attempt
), moved AS (
    UPDATE job SET lease_until = NULL, worker = NULL, dispatched_at = NULL,
        state = CASE WHEN job.attempt >= :max_attempts THEN 'failed' ELSE 'queued' END,
        finished_at = CASE WHEN job.attempt >= :max_attempts THEN clock_timestamp() END,
        error = CASE WHEN job.attempt >= :max_attempts THEN CAST(:error AS jsonb) END,
        retry_at = clock_timestamp() + make_interval(secs => :backoff_s * (power(2, job.attempt - 1) - 1))
    FROM gone WHERE job.id = gone.id RETURNING job.id, job.queue, job.state
)
SELECT id, queue, state, pg_notify(:channel, id::text) FROM moved
"""
HAND_BACK = text(
    BACK.format(
        which="(id, attempt) IN (SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS int[])))", limit=""
    )
)
TAKE_BACK = text(BACK.format(which="lease_until < clock_timestamp()", limit="LIMIT 1000"))

# Rows are locked in the order of their ids, as claims and results lock them: so no two of these can block each other.
CANCEL = """
WITH mine AS (
    SELECT id FROM job WHERE {which} AND tenant_id = :tenant AND state IN ('queued', 'running') ORDER BY id FOR UPDATE
), gone AS (
    UPDATE job SET state = 'cancelled', finished_at = clock_timestamp(), lease_until = NULL, dispatched_at = NULL,
        held = false
    FROM mine WHERE job.id = mine.id RETURNING job.id, job.attempt
), noted AS (
    UPDATE attempt a SET outcome = 'cancelled', finished_at = clock_timestamp()
    FROM gone WHERE a.job_id = gone.id AND a.number = gone.attempt AND a.outcome = 'running'
)
SELECT count(pg_notify(:channel, id::text)) FROM gone
"""
CANCEL_ONE = text(CANCEL.format(which="id = :id"))
CANCEL_BATCH = text(CANCEL.format(which="batch_id = :id"))

# They wait since now: the time before was their baseline's.
RELEASE = text("""
WITH free AS (
    UPDATE job SET held = false, retry_at = clock_timestamp() WHERE batch_id = :batch AND held RETURNING queue
)
SELECT DISTINCT queue FROM free
""")

RETRY = text("""
UPDATE job SET state = 'queued', finished_at = NULL, error = NULL, retry_at = clock_timestamp(),
    dispatched_at = NULL, worker = NULL, started_at = NULL
WHERE id = :id AND tenant_id = :tenant AND state IN ('failed', 'cancelled') AND erased_at IS NULL
RETURNING queue, pg_notify(:channel, id::text)
""")


@dataclass(frozen=True)
class NewJob:
    """What a caller asked for, validated."""

    text: str
    model: str
    device: str
    priority: str
    queue: str
    prompt: str | None = None
    external_id: str | None = None
    callback_url: str | None = None
    allow_degraded: bool = True
    explain: bool = False
    batch_id: uuid.UUID | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Claimed:
    """A job that a worker now holds, with all it needs to grade it. `prompt` is the job's, or else the rubric's."""

    id: uuid.UUID
    attempt: int
    allow_degraded: bool
    explain: bool
    text: str
    prompt: str | None
    rubric_id: uuid.UUID
    criteria: list[dict[str, Any]]
    calibration_id: uuid.UUID | None = None  # the one that the rubric uses now
    vector: bytes | None = None  # kept from an earlier run with this worker's encoder: no forward pass is needed
    surface: bytes | None = None  # the surface features that were kept with it
    topic: list[float] | None = None  # a regrade's: the prompt features
    advisories: list[dict[str, str]] | None = None  # a regrade's: what was remarked of the text before
    known: dict[str, Any] | None = None  # the whole result of the same text, rubric version, head and revision


@dataclass(frozen=True)
class Finished:
    """What came of one attempt: either a `result` (the columns of its table) or an `error` (a problem)."""

    job_id: uuid.UUID
    attempt: int
    run: dict[str, Any]
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    vector: bytes | None = None
    surface: bytes | None = None


@dataclass(frozen=True)
class Scorer:
    """What a worker scores with. Results and vectors that the same made before are used again."""

    model: str = ""
    revision: str = ""
    engine: str = ""
    head: str = ""
    reuse: bool = False  # those of other submissions of the tenant with the same text, too


def submit(session: Session, tenant_id: uuid.UUID, rubric: Rubric, new: NewJob) -> Job:
    """Writes a submission and its job in the caller's transaction: state queued."""
    submission = Submission(tenant_id=tenant_id, text=new.text, prompt=new.prompt, fingerprint=fingerprint_of(new.text))
    session.add(submission)
    session.flush()
    job = Job(
        tenant_id=tenant_id, submission_id=submission.id, rubric_id=rubric.id, share_id=new.batch_id or tenant_id,
        batch_id=new.batch_id, queue=new.queue, model=new.model, device=new.device, priority=new.priority,
        allow_degraded=new.allow_degraded, explain=new.explain, external_id=new.external_id,
        callback_url=new.callback_url, metadata_=new.metadata,
    )  # fmt: skip
    session.add(job)
    session.flush()
    return job


def regrade(
    session: Session, tenant_id: uuid.UUID, rubric: Rubric, batch_id: uuid.UUID, model: str, light: str, heavy: str
) -> int:
    """A new queued job for each submission that the rubric version has graded and that was not erased; returns how many.

    Each takes what its submission's newest job was given (external id, metadata); all are one batch. Those of which a
    vector is kept go to the queue `light`; those that a worker must read again, to `heavy`.
    """
    kept = exists().where(Embedding.submission_id == Job.submission_id)
    newest = (
        select(Job, kept & ~Job.explain)
        .where(
            Job.tenant_id == tenant_id, Job.rubric_id == rubric.id, Job.state == "succeeded", Job.erased_at.is_(None)
        )
        .ext(distinct_on(Job.submission_id))
        .order_by(Job.submission_id, Job.id.desc())
    )
    fields = (
        "tenant_id",
        "submission_id",
        "rubric_id",
        "device",
        "allow_degraded",
        "explain",
        "external_id",
        "metadata_",
    )
    new = {"batch_id": batch_id, "share_id": batch_id, "model": model, "priority": "bulk"}
    rows = [
        {
            **{name: getattr(job, name) for name in fields},
            **new,
            "id": new_id(),
            "source_id": job.id,
            "queue": light if at_hand else heavy,
        }
        for job, at_hand in session.execute(newest)
    ]
    if rows:
        session.execute(insert(Job), rows)
    return len(rows)


def claim(
    session: Session, ids: Sequence[uuid.UUID], worker: str, lease_s: float, scorer: Scorer | None = None
) -> list[Claimed]:
    """queued -> running for those of the ids that still wait; what others hold or have finished is left out.

    Jobs bring what the scorer made of their texts before.
    """
    values = {"ids": list(ids), "worker": worker, "lease_s": lease_s, **asdict(scorer or Scorer())}
    rows = session.execute(CLAIM, {**values, "channel": MOVED})
    # A rubric comes with the first of its jobs alone: a class is graded by one.
    criteria: dict[uuid.UUID, list[dict[str, Any]]] = {}
    return [
        Claimed(**{**row, "criteria": criteria.setdefault(row["rubric_id"], row["criteria"])})
        for row in rows.mappings()
    ]


def renew(session: Session, held: Sequence[Claimed], lease_s: float) -> int:
    """Lengthens the leases of jobs that are still this attempt's; returns how many."""
    pairs = {"ids": [h.id for h in held], "numbers": [h.attempt for h in held]}
    result = session.execute(RENEW, {**pairs, "lease_s": lease_s})
    return int(getattr(result, "rowcount", 0))


def keep(session: Session, finished: Sequence[Finished], model: str, revision: str) -> set[uuid.UUID]:
    """Writes results and vectors of attempts that still hold their jobs, without moving these; returns their ids."""
    good = [f for f in finished if f.result is not None]
    items = [{"job_id": str(f.job_id), "attempt": f.attempt, **(f.result or {})} for f in good]
    held = {row.id: row.submission_id for row in session.execute(KEEP, {"items": json.dumps(items)})}
    vectors = {held[f.job_id]: (f.vector, f.surface) for f in good if f.job_id in held and f.vector is not None}
    keep_vectors(session, vectors, model, revision)
    return set(held)


def finish(session: Session, finished: Sequence[Finished], persist_ms: float) -> set[uuid.UUID]:
    """running -> succeeded or failed, where the attempt still holds the job; returns the ids that moved."""
    items = [
        {
            "job_id": str(f.job_id),
            "attempt": f.attempt,
            "state": "failed" if f.error else "succeeded",
            "error": f.error,
            "run": f.run,
        }
        for f in finished
    ]
    rows = session.execute(FINISH, {"items": json.dumps(items), "persist_ms": persist_ms, "channel": MOVED})
    return {row.id for row in rows}


def hand_back(
    session: Session, held: Sequence[Claimed], error: dict[str, Any], max_attempts: int, backoff_s: float
) -> list[RowMapping]:
    """running -> queued (or failed, without an attempt left) for an attempt that could not be finished."""
    pairs = {"ids": [h.id for h in held], "numbers": [h.attempt for h in held]}
    return _back(session, HAND_BACK, "handed_back", error, max_attempts, backoff_s, **pairs)


def take_back(session: Session, error: dict[str, Any], max_attempts: int, backoff_s: float) -> list[RowMapping]:
    """running -> queued (or failed) for every job whose lease ran out: its worker is gone."""
    return _back(session, TAKE_BACK, "lost", error, max_attempts, backoff_s)


def _back(session: Session, statement: Any, outcome: str, error: dict[str, Any], max_attempts: int, backoff_s: float,
          **which: Any) -> list[RowMapping]:  # fmt: skip
    values = {"outcome": outcome, "error": json.dumps(error), "max_attempts": max_attempts, "backoff_s": backoff_s}
    return list(session.execute(statement, {**values, **which, "channel": MOVED}).mappings())


def cancel(session: Session, tenant_id: uuid.UUID, job_id: uuid.UUID) -> None:
    """queued | running -> cancelled; a job that is cancelled already stays so. IllegalMove from other final states."""
    if not session.scalar(CANCEL_ONE, {"id": job_id, "tenant": tenant_id, "channel": MOVED}):
        job = owned(session, tenant_id, job_id)
        if job.state != "cancelled":
            raise IllegalMove(f"a job that has {job.state} can't be cancelled")


def cancel_batch(session: Session, tenant_id: uuid.UUID, batch_id: uuid.UUID) -> int:
    """queued | running -> cancelled for all jobs of a batch; returns how many."""
    return int(session.scalar(CANCEL_BATCH, {"id": batch_id, "tenant": tenant_id, "channel": MOVED}) or 0)


def release(session: Session, batch_id: uuid.UUID) -> set[str]:
    """Lets the jobs of a batch go that were held; returns their queues."""
    return {str(queue) for queue in session.scalars(RELEASE, {"batch": batch_id})}


def retry(session: Session, tenant_id: uuid.UUID, job_id: uuid.UUID) -> str:
    """failed | cancelled -> queued; returns its queue. IllegalMove from other states and after an erasure."""
    row = session.execute(RETRY, {"id": job_id, "tenant": tenant_id, "channel": MOVED}).first()
    if row is None:
        job = owned(session, tenant_id, job_id)
        raise IllegalMove("its text was erased" if job.erased_at else f"a job that is {job.state} can't be retried")
    return str(row.queue)


def owned(session: Session, tenant_id: uuid.UUID, job_id: uuid.UUID) -> Job:
    """The tenant's job with an id, or JobNotFound."""
    job = session.get(Job, job_id)
    if job is None or job.tenant_id != tenant_id:
        raise JobNotFound("there is no job with this id")
    return job
