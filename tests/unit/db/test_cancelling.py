"""A cancel wins: at once over what waits, and over a result that comes later."""

from __future__ import annotations

from sqlalchemy import func, select

from db import batches, jobs, window
from db.finding import find_job
from db.job import Attempt, Job, Result
from db.submission import Embedding
from tests.unit.db.test_jobs import claim, state, write


def rows_of(database, job):
    """What the database holds of a job: its state, results, vectors, and how each attempt ended."""
    with database.session() as session:
        kept = session.get_one(Job, job)
        count = lambda table, which: session.scalar(select(func.count()).select_from(table).where(which))  # noqa: E731
        attempts = session.execute(select(Attempt.number, Attempt.outcome).where(Attempt.job_id == job)).all()
        vectors = count(Embedding, Embedding.submission_id == kept.submission_id)
        return kept.state, kept.finished_at, count(Result, Result.job_id == job), vectors, [tuple(a) for a in attempts]


def test_a_cancelled_jobs_late_result_changes_nothing(database, submit, tenant):
    job = submit()
    held = claim(database, job)
    with database.session() as session:
        jobs.cancel(session, tenant, job)
    before = rows_of(database, job)
    assert write(database, *held) == set()
    assert rows_of(database, job) == before
    assert before[0] == "cancelled" and before[2:] == (0, 0, [(1, "cancelled")])
    with database.session() as session:
        assert find_job(session, tenant, job).result is None


def test_a_waiting_job_that_is_cancelled_is_never_sent_or_claimed(database, submit, tenant, queue):
    in_broker, waits, stays = submit(), submit(), submit()
    with database.session() as session:
        assert [each.id for each in window.take(session, queue, 1)] == [in_broker]
    with database.session() as session:
        jobs.cancel(session, tenant, in_broker)
        jobs.cancel(session, tenant, waits)
    with database.session() as session:
        assert [each.id for each in window.take(session, queue, 10)] == [stays]
    assert claim(database, in_broker, waits) == []


def test_of_a_chunk_only_the_cancelled_jobs_lose_their_results(database, submit, tenant):
    ids = [submit() for _ in range(3)]
    held = claim(database, *ids)
    with database.session() as session:
        jobs.cancel(session, tenant, ids[1])
    assert write(database, *held) == {ids[0], ids[2]}
    assert [state(database, job) for job in ids] == ["succeeded", "cancelled", "succeeded"]


def test_a_cancelled_batch_keeps_what_is_graded_and_nothing_that_comes_later(database, submit, make_batch, tenant):
    batch = make_batch()
    done, running, waiting = (submit(batch=batch) for _ in range(3))
    write(database, *claim(database, done))
    held = claim(database, running)
    with database.session() as session:
        batches.cancel(session, tenant, batch)
    assert [state(database, job) for job in (done, running, waiting)] == ["succeeded", "cancelled", "cancelled"]
    assert claim(database, waiting) == [] and write(database, *held) == set()
    with database.session() as session:
        view = batches.find_batch(session, tenant, batch)
    assert (view.state, view.figures.succeeded, view.figures.cancelled) == ("cancelled", 1, 2)
    assert rows_of(database, running)[2:] == (0, 0, [(1, "cancelled")])


def test_a_retry_after_a_cancel_is_not_ended_by_the_first_attempts_result(database, submit, tenant):
    job = submit()
    first = claim(database, job)
    with database.session() as session:
        jobs.cancel(session, tenant, job)
        jobs.retry(session, tenant, job)
    second = claim(database, job)
    assert write(database, *first) == set() and state(database, job) == "running"
    assert write(database, *second) == {job}
