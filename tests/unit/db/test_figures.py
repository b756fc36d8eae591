"""The figures of an operator, and that reading them does not read the tables."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import text, update

from db import figures, jobs, queues, reviews, scores, waiting, window
from db.batch import Batch
from db.errors import TookTooLong
from db.job import Job

VALUES = {
    "most": 10, "shares": 10, "recent_s": 300.0, "recent": 10, "days": 7, "seen": 10, "inline": "inline-", "rubrics": 10,
    "newest": 10, "tenant": uuid.UUID(int=1), "rate_s": 60.0, "limit": 10, "versions": [uuid.UUID(int=2)],
    "need": 0.5, "job": uuid.UUID(int=3), "lease": uuid.UUID(int=4), "seconds": 60.0,
}  # fmt: skip
STATEMENTS = {
    name: statement
    for module, names in (
        (figures, ("DEPTHS", "WINDOW", "OLDEST", "RUNNING", "HELD", "FAILED", "RESULTS", "PENDING", "ENDED")),
        (scores, ("SCORES", "INLINE_SCORES")),
        (queues, ("FIGURES",)),
        (waiting, ("ALL", "OF_TENANT", "RATE")),
        (reviews, ("QUEUE", "LEASE")),
    )
    for name in names
    for statement in [getattr(module, name)]
}


def now(database, queue):
    with database.session() as session:
        return figures.queues_now(session).get(queue)


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_table_is_read_from_end_to_end(database, name):
    statement = STATEMENTS[name]
    values = {key: VALUES[key] for key in statement.compile().params}
    with database.session() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))  # otherwise it's the best for a table that is short
        session.execute(text("SET LOCAL enable_bitmapscan = off"))
        plan = [row[0] for row in session.execute(text(f"EXPLAIN {statement.text}"), values)]
    for table in ("job", "result", "webhook_delivery"):
        assert not [line for line in plan if f"Seq Scan on {table}" in line], plan
    # A time that is looked up is looked up in the index: a filter would read on to the oldest row.
    filters = [line for line in plan if "Filter:" in line and ("finished_at >" in line or "ended_at >" in line)]
    assert not filters, plan


def test_what_waits_is_counted_in_the_broker_and_outside_it_with_the_oldest(database, submit, queue):
    ids = [submit() for _ in range(3)]
    with database.session() as session:
        window.take(session, queue, 1)
        hour_ago = text("clock_timestamp() - interval '1 hour'")
        session.execute(update(Job).where(Job.id == ids[1]).values(created_at=hour_ago))
    found = now(database, queue)
    assert (found.waiting, found.window, found.running) == (3, 1, 0)
    assert 3600 <= found.oldest_s < 3700 and 0 < found.marked_s < 3600


def test_what_waits_again_is_as_old_as_its_second_wait(database, submit, queue):
    job = submit()
    with database.session() as session:
        hour_ago = text("clock_timestamp() - interval '1 hour'")
        session.execute(
            update(Job).where(Job.id == job).values(created_at=hour_ago, retry_at=text("clock_timestamp()"))
        )
    assert now(database, queue).oldest_s < 3600


def test_what_runs_does_not_wait(database, submit, queue):
    job = submit()
    with database.session() as session:
        jobs.claim(session, [job], "w", 60)
    found = now(database, queue)
    assert (found.waiting, found.running) == (0, 1)


def test_held_jobs_are_counted_by_their_batches(database, submit, make_batch):
    with database.session() as session:
        before = figures.held_jobs(session)
    batch = make_batch()
    job = submit(batch=batch)
    with database.session() as session:
        session.execute(update(Job).where(Job.id == job).values(held=True))
        made = uuid.uuid4()
        found = session.get_one(Batch, batch)
        session.execute(
            text(
                "INSERT INTO calibration (id, tenant_id, rubric_id, model, queue, examples, cohort) "
                "VALUES (:id, :tenant, :rubric, 'm', 'q', 0, 20)"
            ),
            {"id": made, "tenant": found.tenant_id, "rubric": found.rubric_id},
        )
        found.baseline_state, found.calibration_id = "making", made
    with database.session() as session:
        assert figures.held_jobs(session) == before + 1
        session.get_one(Batch, batch).baseline_state = "skipped"
        session.execute(update(Job).where(Job.id == job).values(held=False))
        session.execute(text("UPDATE calibration SET state = 'failed' WHERE id = :id"), {"id": made})


def test_a_statement_that_takes_too_long_is_given_up(database):
    with pytest.raises(TookTooLong), figures.hurried(database, 100) as session:
        session.execute(text("SELECT pg_sleep(60)"))
    with database.session() as session:  # the time of others is not changed
        assert session.scalar(text("SHOW statement_timeout")) == "15s"
