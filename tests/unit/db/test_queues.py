"""The figures of a tenant's queues."""

from __future__ import annotations

import pytest
from sqlalchemy import text, update

from db import jobs, window
from db.job import Job
from db.queues import queue_figures
from db.work import Finished
from tests.tenants import new_tenant


def figures(database, tenant):
    with database.session() as session:
        return {each.queue: each for each in queue_figures(session, tenant)}


def test_what_waits_in_the_broker_and_outside_runs_and_has_ended_is_counted(
    database, submit, make_batch, tenant, queue
):
    ids = [submit(batch=batch) for batch in (None, make_batch(), None, None, None, None)]
    with database.session() as session:
        sent = [taken.id for taken in window.take(session, queue, 3)]
        held = jobs.claim(session, sent[:2], "w", 60)
        jobs.finish(session, [Finished(held[0].id, 1, {}, error={"code": "unscorable"})], "m", "r")
        jobs.cancel(session, tenant, ids[-1])
    found = figures(database, tenant)
    assert list(found) == [queue]
    now = found[queue]
    assert (now.waiting, now.held, now.running) == (3, 0, 1)
    assert now.rate == pytest.approx(2 / 60) and now.eta_s == pytest.approx(4 * 30)


def test_the_oldest_is_looked_for_in_every_batch(database, submit, make_batch, tenant, queue):
    ids = [submit(batch=make_batch()) for _ in range(3)]
    for job, hours in zip(ids, (1, 3, 2), strict=True):
        with database.session() as session:
            ago = text(f"clock_timestamp() - interval '{hours} hours'")
            session.execute(update(Job).where(Job.id == job).values(created_at=ago))
    assert figures(database, tenant)[queue].oldest_s == pytest.approx(3 * 3600, abs=60)


def test_a_job_in_the_broker_is_as_old_as_any(database, submit, tenant, queue):
    job = submit()
    with database.session() as session:
        window.take(session, queue, 1)
        ago = text("clock_timestamp() - interval '1 hour'")
        session.execute(update(Job).where(Job.id == job).values(created_at=ago))
    assert figures(database, tenant)[queue].oldest_s == pytest.approx(3600, abs=60)


def test_a_queue_in_which_only_others_have_work_is_not_named(database, submit, queue):
    submit()
    with database.session() as session:
        stranger = new_tenant(session)
    assert figures(database, stranger) == {}
