"""The statements that move calibrations from state to state. Only `db/calibrations.py` runs them."""

from __future__ import annotations

from sqlalchemy import text

CLAIM = text("""
UPDATE calibration SET state = 'running', started_at = coalesce(started_at, clock_timestamp()), worker = :worker,
    lease_until = clock_timestamp() + make_interval(secs => :lease_s)
WHERE id = :id AND state = 'queued' RETURNING id
""")
RENEW = text("""
UPDATE calibration SET lease_until = clock_timestamp() + make_interval(secs => :lease_s)
WHERE id = :id AND state = 'running' AND worker = :worker
""")
PAUSE = text("""
UPDATE calibration SET state = 'queued', lease_until = NULL, dispatched_at = clock_timestamp(), embedded = :embedded
WHERE id = :id AND state = 'running' AND worker = :worker
""")
FINISH = text("""
UPDATE calibration SET state = :state, lease_until = NULL, finished_at = clock_timestamp(), revision = :revision,
    head = :head, sha256 = :sha256, card = CAST(:card AS jsonb), report = CAST(:report AS jsonb),
    error = CAST(:error AS jsonb), embedded = examples + cohort
WHERE id = :id AND state = 'running' AND worker = :worker
""")
TAKE_BACK = text("""
UPDATE calibration SET lease_until = NULL, worker = NULL, dispatched_at = NULL, lost = lost + 1,
    state = CASE WHEN lost + 1 >= :max_attempts THEN 'failed' ELSE 'queued' END,
    finished_at = CASE WHEN lost + 1 >= :max_attempts THEN clock_timestamp() END,
    error = CASE WHEN lost + 1 >= :max_attempts THEN CAST(:error AS jsonb) END
WHERE state = 'running' AND lease_until < clock_timestamp()
""")
# Its worker was told to stop: no loss.
RELEASE = text("""
UPDATE calibration SET state = 'queued', lease_until = NULL, worker = NULL, dispatched_at = NULL
WHERE state = 'running' AND worker = :worker
""")
# A message that nobody took for so long is sent again; a worker that gets both finds nothing to claim the second time.
DUE = text("""
UPDATE calibration SET dispatched_at = clock_timestamp()
WHERE state = 'queued' AND (dispatched_at IS NULL OR dispatched_at < clock_timestamp() - make_interval(secs => :after_s))
RETURNING id, queue
""")
UNSENT = text("UPDATE calibration SET dispatched_at = NULL WHERE id = ANY(:ids) AND state = 'queued'")
GIVE_UP = text("""
UPDATE calibration SET state = 'failed', lease_until = NULL, finished_at = clock_timestamp(), error = CAST(:error AS jsonb)
WHERE id = :id AND state IN ('queued', 'running')
""")
COHORT = text("""
INSERT INTO example (calibration_id, position, submission_id)
SELECT :id, place - 1, submission FROM unnest(CAST(:submissions AS uuid[])) WITH ORDINALITY AS x(submission, place)
""")
TEXTS = text("""
SELECT e.position, e.submission_id, s.text, coalesce(s.prompt, r.prompt) AS prompt, e.scores, e.scores_2,
    e.groups
FROM example e JOIN submission s ON s.id = e.submission_id JOIN calibration c ON c.id = e.calibration_id
JOIN rubric r ON r.id = c.rubric_id
WHERE e.calibration_id = :id AND s.erased_at IS NULL ORDER BY e.position
""")
