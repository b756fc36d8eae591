"""The baseline of a batch: its jobs are held while it is made, and let go whatever comes of it."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from broker.app import make_app
from broker.dispatch import Dispatch
from broker.settings import BrokerSettings
from broker.sweep import sweep
from db import activation, baselines, batches, calibrations, jobs, window
from db.batch import Batch
from db.bulk import Manner, NewRow
from db.calibration import Calibration, Example
from db.calibrations import Made
from db.job import Job
from db.queues import queue_figures
from db.rubric import add_version, default_criteria

GOOD = Made("r", b"head", "0" * 64, {"model": "m"})
BAD = Made(error={"code": "uncalibrated", "detail": "It could not be fitted."})


@pytest.fixture
def rubric(database, tenant):
    with database.session() as session:
        return add_version(session, tenant, "essay", None, default_criteria())


@pytest.fixture
def submit_batch(database, tenant, rubric, queue):
    def submit_batch(count: int = 20) -> Batch:
        rows = [NewRow(f"Text {n}.") for n in range(count)]
        with database.session() as session:
            return batches.submit(session, tenant, rubric, Manner("m", queue), rows, {}, "auto", queue).batch

    return submit_batch


def end(database, batch, made):
    """What a worker does with the calibration, short of settling the batch."""
    with database.session() as session:
        assert calibrations.claim(session, batch.calibration_id, "w", 60)
        calibrations.finish(session, batch.calibration_id, "w", made)


def settle(database):
    with database.session() as session:
        return baselines.settle(session)


def read(database, batch) -> Batch:
    with database.session() as session:
        return session.get_one(Batch, batch.id)


def taken(database, queue):
    with database.session() as session:
        return len(window.take(session, queue, window.room(session, queue, 100)))


def active(database, rubric):
    with database.session() as session:
        found = activation.active_calibration(session, rubric.id)
        return found and found.id


def test_while_a_baseline_is_made_the_jobs_are_neither_sent_nor_claimed(database, submit_batch, tenant, queue):
    batch = submit_batch()
    assert (batch.baseline_mode, batch.baseline_state) == ("auto", "making")
    assert taken(database, queue) == 0
    with database.session() as session:
        ids = list(session.scalars(select(Job.id).where(Job.batch_id == batch.id)))
        assert jobs.claim(session, ids, "w", 60) == []
        assert queue not in window.waiting_queues(session)
        figures = {f.queue: f for f in queue_figures(session, tenant)}[queue]
    assert (figures.waiting, figures.held, figures.oldest_s) == (0, 20, 0.0)


def test_the_cohort_is_the_batch_in_its_order_spread_evenly_when_it_is_long(database, submit_batch, monkeypatch):
    monkeypatch.setattr(baselines, "MOST", 10)
    batch = submit_batch(25)
    with database.session() as session:
        made = session.get_one(Calibration, batch.calibration_id)
        cohort = session.scalars(
            select(Example.submission_id).where(Example.calibration_id == made.id).order_by(Example.position)
        )
        of_jobs = session.scalars(select(Job.submission_id).where(Job.batch_id == batch.id).order_by(Job.id))
        order = list(of_jobs)
        assert [order.index(each) for each in cohort] == [0, 2, 5, 7, 10, 12, 15, 17, 20, 22]
    assert (made.examples, made.cohort, made.state) == (0, 10, "queued")


def test_a_baseline_that_is_made_is_activated_and_lets_the_jobs_go(database, submit_batch, rubric, queue):
    batch = submit_batch()
    assert settle(database) == set()  # not before it is made
    end(database, batch, GOOD)
    assert settle(database) == {queue}
    found = read(database, batch)
    assert (found.baseline_state, found.baseline_reason) == ("used", None)
    assert active(database, rubric) == batch.calibration_id
    assert taken(database, queue) == 20
    assert settle(database) == set()


def test_a_baseline_that_fails_lets_the_jobs_go_and_says_why(database, submit_batch, rubric, queue):
    batch = submit_batch()
    end(database, batch, BAD)
    settle(database)
    found = read(database, batch)
    assert (found.baseline_state, found.baseline_reason) == ("failed", "It could not be fitted.")
    assert active(database, rubric) is None and taken(database, queue) == 20


def test_of_two_baselines_of_a_rubric_the_first_one_grades_both_batches(database, submit_batch, rubric, queue):
    first, second = submit_batch(), submit_batch()
    end(database, second, GOOD)
    settle(database)
    end(database, first, GOOD)
    settle(database)
    late = read(database, first)
    assert (late.baseline_state, active(database, rubric)) == ("skipped", second.calibration_id)
    assert str(second.calibration_id) in late.baseline_reason
    assert taken(database, queue) == 40


def test_a_small_batch_and_an_active_calibration_make_no_baseline(database, submit_batch, queue):
    small = submit_batch(19)
    assert (small.baseline_state, small.calibration_id) == ("skipped", None)
    assert "needs 20" in small.baseline_reason
    end(database, first := submit_batch(), GOOD)
    settle(database)
    later = submit_batch()
    assert (later.baseline_state, later.calibration_id) == ("skipped", None)
    assert str(first.calibration_id) in later.baseline_reason
    assert taken(database, queue) == 59


def test_a_cancelled_batch_gives_its_baseline_up(database, tenant, submit_batch, rubric):
    batch = submit_batch()
    with database.session() as session:
        assert calibrations.claim(session, batch.calibration_id, "w", 60)
        batches.cancel(session, tenant, batch.id)
    found = read(database, batch)
    assert (found.baseline_state, found.baseline_reason) == ("skipped", "The batch was cancelled.")
    with database.session() as session:
        calibrations.finish(session, batch.calibration_id, "w", GOOD)  # the worker comes too late
        assert session.get_one(Calibration, batch.calibration_id).state == "failed"
        view = batches.find_batch(session, tenant, batch.id)
    assert (view.state, view.figures.cancelled) == ("cancelled", 20)
    assert settle(database) == set() and active(database, rubric) is None


def test_the_sweep_lets_go_what_a_lost_worker_left_held(database, servers, submit_batch, queue):
    made, lost = submit_batch(), submit_batch()
    end(database, made, GOOD)  # and the worker dies before it settles
    settings = BrokerSettings(database_url=servers.database_url, redis_url=servers.redis_url, max_attempts=1)
    with database.session() as session:
        assert calibrations.claim(session, lost.calibration_id, "gone", -1.0)
    app = make_app(settings)
    sweep(Dispatch(database, app, settings))
    app.close()
    assert read(database, made).baseline_state == "used"
    assert read(database, lost).baseline_state == "failed"
    with database.session() as session:
        held = select(Job.id).where(Job.batch_id.in_([made.id, lost.id]), Job.held)
        assert session.scalars(held).all() == []


def test_the_dispatch_reads_no_row_of_a_held_batch(database, submit_batch, submit, queue):
    submit_batch(2000)
    mine = submit()
    with database.session() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = session.scalars(text(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) {window.TAKE.text}"), {
            "queue": queue, "room": 32,
        }).all()  # fmt: skip
    # Rows that other queues' workers hold may be looked at, the held batch may not.
    removed = sum(int(line.split(":")[1]) for line in plan if "Rows Removed by Filter" in line)
    assert removed < 1000, "\n".join(plan)
    with database.session() as session:
        assert session.get_one(Job, mine).dispatched_at is not None


def test_a_held_job_that_is_cancelled_is_held_no_more(database, submit_batch):
    batch = submit_batch()
    with database.session() as session:
        job = session.scalars(select(Job).where(Job.batch_id == batch.id).limit(1)).one()
        jobs.cancel(session, job.tenant_id, job.id)
        session.refresh(job)
        assert (job.state, job.held) == ("cancelled", False)
