"""What becomes of jobs whose child is gone, on a real database."""

from __future__ import annotations

import uuid

import pytest

from broker.app import make_app
from broker.dispatch import Dispatch
from broker.sweep import sweep
from db import jobs
from db.job import Job
from db.rubric import default_rubric
from db.work import NewJob
from tests.tenants import new_tenant
from worker.losses import Losses
from worker.settings import WorkerSettings


@pytest.fixture
def held(database):
    """Claims a new job for a worker; returns its id."""

    def claim(worker: str, lease_s: float = 600) -> uuid.UUID:
        with database.session() as session:
            queue = f"{uuid.uuid4().hex}.any.bulk"
            new = NewJob(text="Some text.", model="m", device="any", priority="bulk", queue=queue)
            job = jobs.submit(session, new_tenant(session), default_rubric(session), new).id
        with database.session() as session:
            assert len(jobs.claim(session, [job], worker, lease_s)) == 1
        return job

    return claim


def read(database, job) -> Job:
    with database.session() as session:
        return session.get_one(Job, job)


def settings_of(servers, **fields) -> WorkerSettings:
    return WorkerSettings(database_url=servers.database_url, redis_url=servers.redis_url, **fields)


def test_a_child_gives_back_what_the_one_before_it_held_and_nothing_of_others(database, servers, held):
    name = f"cpu-{uuid.uuid4().hex}@test"
    mine, others = held(name), held("another")
    Losses(database, settings_of(servers), name).of_sibling()
    assert (read(database, mine).state, read(database, mine).losses) == ("queued", 1)
    assert read(database, others).state == "running"


def test_one_child_of_several_leaves_what_its_siblings_hold(database, servers, held):
    name = f"gpu-{uuid.uuid4().hex}@test"
    mine = held(name)
    Losses(database, settings_of(servers, children=2), name).of_sibling()
    assert read(database, mine).state == "running"


def test_a_sweep_after_an_outage_lets_living_workers_renew_their_leases_first(database, servers, held):
    job, settings = held("somebody", lease_s=-1), settings_of(servers)
    app = make_app(settings)
    dispatch = Dispatch(database, app, settings)
    sweep(dispatch, patient=True)
    assert read(database, job).state == "running"
    sweep(dispatch)
    assert (read(database, job).state, read(database, job).losses) == ("queued", 1)
    app.close()
