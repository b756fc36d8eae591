"""The statements that move jobs from state to state. Only `db/jobs.py` runs them.

An attempt's row is written when the attempt ends, in whatever way: until then the job's own row says who runs it.
"""

from __future__ import annotations

from sqlalchemy import text

# Listeners (a client that waits, an event stream) are told the ids of jobs that moved, and of their batches, separated by
# commas: a notice for many, because each costs the server and every listener. One holds 8,000 bytes.
MOVED = "gradeline_job"
TOLD = """told AS (
    SELECT count(pg_notify(:channel, ids)) FROM (
        SELECT string_agg(id::text, ',') AS ids FROM (SELECT id, (row_number() OVER () - 1) / 200 AS part FROM (
            SELECT id FROM {of} UNION SELECT batch_id FROM {of} WHERE batch_id IS NOT NULL
        ) each) numbered GROUP BY part
    ) notices
)"""
# A job waits from its making, or from when it could be tried again.
QUEUE_MS = "extract(epoch FROM {job}.started_at - greatest({job}.created_at, coalesce({job}.retry_at, {job}.created_at))) * 1000"

# A submission and its job in one round trip: every request that submits waits for it.
SUBMIT = text("""
WITH handed_in AS (
    INSERT INTO submission (id, tenant_id, text, prompt, fingerprint)
    VALUES (:submission_id, :tenant_id, :text, :prompt, :fingerprint)
)
INSERT INTO job (id, tenant_id, submission_id, rubric_id, batch_id, share_id, queue, model, device, priority, allow_degraded,
    explain, external_id, callback_url, metadata, request_id, traceparent)
VALUES (:id, :tenant_id, :submission_id, :rubric_id, :batch_id, :share_id, :queue, :model, :device, :priority,
    :allow_degraded, :explain, :external_id, :callback_url, CAST(:metadata AS jsonb),
    :request_id, :traceparent)
RETURNING created_at
""")

# The commit of a claim need not reach the disk: a job whose claim a crash of the server undid is claimed again, with the same
# number. Of the two workers, the first to write is kept; the other finds the job finished. A message takes only jobs that were
# lost as often as when it was cut: one that is delivered again must not bring suspects together that were sent apart since.
# The CASE keeps the index of a rubric's finished jobs out of it: a server that has not yet looked at the table would read all of
# them for each job.
CLAIM = text(f"""
WITH mine AS (
    SELECT id FROM job WHERE id = ANY(:ids) AND state = 'queued' AND NOT held
        AND losses = coalesce(CAST(:losses AS smallint), losses) AND (retry_at IS NULL OR retry_at <= clock_timestamp())
    ORDER BY id FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE job SET state = 'running', attempt = attempt + 1, started_at = clock_timestamp(), dispatched_at = NULL,
        lease_until = clock_timestamp() + make_interval(secs => :lease_s), worker = :worker
    FROM mine WHERE job.id = mine.id RETURNING job.*
), {TOLD.format(of="claimed")}
SELECT c.id, c.attempt, c.batch_id, c.request_id, c.traceparent, c.allow_degraded, c.explain, s.text,
    coalesce(s.prompt, r.prompt) AS prompt, r.id AS rubric_id,
    CASE WHEN row_number() OVER (PARTITION BY r.id ORDER BY c.id) = 1 THEN r.criteria END AS criteria,
    k.id AS calibration_id, e.vector, e.surface, p.topic, p.advisories, same.result AS known, u.submission_id AS upload_id,
    u.kind, CAST({QUEUE_MS.format(job="c")} AS float8) AS queue_ms
FROM claimed c JOIN submission s ON s.id = c.submission_id JOIN rubric r ON r.id = c.rubric_id
LEFT JOIN calibration k ON k.rubric_id = r.id AND k.active
LEFT JOIN upload u ON u.submission_id = s.id
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
        AND t.prompt IS NOT DISTINCT FROM s.prompt AND CASE WHEN o.state = 'succeeded' THEN o.rubric_id = c.rubric_id END
        AND o.explain = c.explain AND o.erased_at IS NULL AND NOT q.degraded
        AND q.scored_by->>'model' = :model AND q.scored_by->>'revision' = :revision AND q.scored_by->>'engine' = :engine
        AND q.scored_by->>'calibration' IS NOT DISTINCT FROM k.id::text
        AND (k.id IS NOT NULL OR q.scored_by->>'head' = :head)
    LIMIT 1
) same ON true, told, (SELECT set_config('synchronous_commit', 'off', true)) soon ORDER BY c.id
""")  # noqa: S608 - constants of this module

OURS = "(id, attempt) IN (SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS int[])))"
RENEW = text(f"""
WITH held AS (SELECT id FROM job WHERE state = 'running' AND {OURS} ORDER BY id FOR NO KEY UPDATE)
UPDATE job SET lease_until = clock_timestamp() + make_interval(secs => :lease_s) FROM held WHERE job.id = held.id
""")  # noqa: S608 - constants of this module

# One round trip: results, vectors, the job's new state and the attempt's record, where the attempt still holds the job.
# Vectors come as one string of bytes: an array of them would be written and read as hexadecimal text.
# A submission that was erased meanwhile keeps no vector. `persist_ms` ends when the rows are written, before the commit.
FINISH = text(f"""
WITH item AS (
    SELECT * FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS x(job_id uuid, attempt int, error jsonb, run jsonb,
        scores jsonb, overall jsonb, advisories jsonb, scored_by jsonb, degraded boolean, review_reasons text[],
        topic float8[], cached boolean)
), held AS (
    SELECT j.id, j.tenant_id, j.submission_id, j.worker, j.started_at, j.created_at, j.retry_at, i.*
    FROM job j JOIN item i ON j.id = i.job_id AND j.attempt = i.attempt
    WHERE j.state = 'running' ORDER BY j.id FOR UPDATE OF j
), kept AS (
    INSERT INTO result (job_id, attempt, scores, overall, advisories, scored_by, degraded, review_reasons, topic, cached,
        tenant_id)
    SELECT id, attempt, scores, overall, advisories, scored_by, degraded, review_reasons, topic, coalesce(cached, false),
        tenant_id
    FROM held WHERE scores IS NOT NULL
    ON CONFLICT (job_id) DO UPDATE SET attempt = excluded.attempt, scores = excluded.scores, overall = excluded.overall,
        advisories = excluded.advisories, scored_by = excluded.scored_by, degraded = excluded.degraded,
        review_reasons = excluded.review_reasons, topic = excluded.topic, cached = excluded.cached, created_at = now()
    RETURNING job_id
), vectors AS (
    INSERT INTO embedding (submission_id, model, revision, vector, surface)
    SELECT h.submission_id, :model, :revision, substr(v.vectors, (n::int - 1) * v.width + 1, v.width),
        substr(v.surfaces, (n::int - 1) * v.counted + 1, v.counted)
    FROM (SELECT CAST(:vectors AS bytea), CAST(:surfaces AS bytea), CAST(:width AS int), CAST(:counted AS int))
        AS v(vectors, surfaces, width, counted), unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS o(id, n)
    JOIN held h ON h.id = o.id JOIN submission s ON s.id = h.submission_id AND s.erased_at IS NULL
    ON CONFLICT DO NOTHING RETURNING submission_id
), done AS (
    UPDATE job SET state = CASE WHEN h.error IS NULL THEN 'succeeded' ELSE 'failed' END,
        finished_at = clock_timestamp(), lease_until = NULL, error = h.error
    FROM held h
    WHERE job.id = h.id AND (SELECT count(*) FROM kept) + (SELECT count(*) FROM vectors) >= 0 -- these come first
    RETURNING job.id, job.batch_id, job.state, job.finished_at, h.attempt, h.worker, h.started_at, h.created_at, h.retry_at,
        h.error, h.run
), noted AS (
    INSERT INTO attempt (job_id, number, worker, started_at, finished_at, outcome, error, model, revision, engine, device,
        batch_size, tokens, windows, queue_ms, tokenize_ms, inference_ms, persist_ms, total_ms)
    SELECT id, attempt, worker, started_at, finished_at, state, error, run->>'model', run->>'revision', run->>'engine',
        run->>'device', (run->>'batch_size')::int, (run->>'tokens')::int, (run->>'windows')::int,
        {QUEUE_MS.format(job="done")}, (run->>'tokenize_ms')::float, (run->>'inference_ms')::float,
        :packed_ms + extract(epoch FROM finished_at - statement_timestamp()) * 1000,
        extract(epoch FROM finished_at - created_at) * 1000
    FROM done
), {TOLD.format(of="done")}
SELECT id FROM done, told
""")  # noqa: S608 - constants of this module

# The reason stays with the attempt; the job gets one only when it was lost as often as it may be. What a worker hands back
# because it was told to stop is no loss: the job is not to blame.
BACK = """
WITH gone AS (
    SELECT id, attempt, worker, started_at, created_at, retry_at, losses + :counted AS losses,
        :counted > 0 AND losses + :counted >= :max_losses AS spent FROM job WHERE state = 'running' AND {which}
    ORDER BY id {limit} FOR UPDATE SKIP LOCKED
), noted AS (
    INSERT INTO attempt (job_id, number, worker, started_at, finished_at, outcome, error, queue_ms)
    SELECT id, attempt, worker, started_at, clock_timestamp(), :outcome, CAST(:error AS jsonb), {queue_ms} FROM gone
), moved AS (
    UPDATE job SET lease_until = NULL, worker = NULL, dispatched_at = NULL, losses = gone.losses,
        state = CASE WHEN gone.spent THEN 'failed' ELSE 'queued' END,
        finished_at = CASE WHEN gone.spent THEN clock_timestamp() END,
        error = CASE WHEN gone.spent THEN CAST(:error AS jsonb) END,
        retry_at = clock_timestamp() + make_interval(secs => :counted * :backoff_s * (power(2, gone.losses - 1) - 1))
    FROM gone WHERE job.id = gone.id RETURNING job.id, job.batch_id, job.queue, job.state, job.request_id, job.traceparent,
        job.attempt, gone.worker
), {told}
SELECT id, queue, state, batch_id, request_id, traceparent, attempt, worker FROM moved, told
"""
SAME = {"queue_ms": QUEUE_MS.format(job="gone"), "told": TOLD.format(of="moved")}
HAND_BACK = text(BACK.format(which=OURS, limit="", **SAME))
TAKE_FROM = text(BACK.format(which="worker = :worker AND (:everything OR id = ANY(:ids))", limit="", **SAME))
TAKE_BACK = text(BACK.format(which="lease_until < clock_timestamp()", limit="LIMIT 1000", **SAME))

# Rows are locked in the order of their ids, by every statement that moves several: so no two of them can block each other.
CANCEL = """
WITH mine AS (
    SELECT id, state, attempt, worker, started_at, created_at, retry_at FROM job
    WHERE {which} AND tenant_id = :tenant AND state IN ('queued', 'running') ORDER BY id FOR UPDATE
), gone AS (
    UPDATE job SET state = 'cancelled', finished_at = clock_timestamp(), lease_until = NULL, dispatched_at = NULL,
        held = false
    FROM mine WHERE job.id = mine.id RETURNING job.id, job.batch_id
), noted AS (
    INSERT INTO attempt (job_id, number, worker, started_at, finished_at, outcome, queue_ms)
    SELECT id, attempt, worker, started_at, clock_timestamp(), 'cancelled', {queue_ms} FROM mine WHERE state = 'running'
), {told}
SELECT count(*) FROM gone, told
"""
GONE = {"queue_ms": QUEUE_MS.format(job="mine"), "told": TOLD.format(of="gone")}
CANCEL_ONE = text(CANCEL.format(which="id = :id", **GONE))
CANCEL_BATCH = text(CANCEL.format(which="batch_id = :id", **GONE))

# They wait since now: the time before was their baseline's.
RELEASE = text("""
WITH mine AS (
    SELECT id FROM job WHERE batch_id = :batch AND held ORDER BY id FOR UPDATE
), free AS (
    UPDATE job SET held = false, retry_at = clock_timestamp() FROM mine WHERE job.id = mine.id RETURNING queue
)
SELECT DISTINCT queue FROM free
""")

# What a person's retry makes of a job.
AGAIN = """state = 'queued', finished_at = NULL, error = NULL, retry_at = clock_timestamp(),
    dispatched_at = NULL, worker = NULL, started_at = NULL, losses = 0"""
RETRY = text(f"""
UPDATE job SET {AGAIN}
WHERE id = :id AND tenant_id = :tenant AND state IN ('failed', 'cancelled') AND erased_at IS NULL
RETURNING queue, pg_notify(:channel, concat_ws(',', id, batch_id))
""")  # noqa: S608 - constants of this module

FAILED = """SELECT id, batch_id FROM job WHERE tenant_id = :tenant AND state = 'failed' AND erased_at IS NULL
        AND (CAST(:batch AS uuid) IS NULL OR batch_id = :batch)
        AND (CAST(:code AS text) IS NULL OR error->>'code' = :code)
        AND (CAST(:rubrics AS uuid[]) IS NULL OR rubric_id = ANY(:rubrics))
    ORDER BY id LIMIT :limit"""
COUNT_FAILED = text(f"SELECT count(*) FROM ({FAILED}) fits")  # noqa: S608 - a constant of this module
# What somebody else is moving at this moment is left to that. Batches that are to end again (a trigger says so) are locked in
# the order of their ids, too.
RETRY_FAILED = text(f"""
WITH mine AS (
    {FAILED} FOR UPDATE SKIP LOCKED
), told_before AS (
    SELECT id FROM batch WHERE id IN (SELECT batch_id FROM mine) AND told_at IS NOT NULL
    ORDER BY id FOR NO KEY UPDATE
), moved AS (
    UPDATE job SET {AGAIN} FROM mine WHERE job.id = mine.id AND (SELECT count(*) FROM told_before) >= 0 -- these come first
    RETURNING job.id, job.batch_id, job.queue
), {TOLD.format(of="moved")}
SELECT queue, count(*) AS jobs FROM moved, told GROUP BY queue
""")  # noqa: S608 - constants of this module
