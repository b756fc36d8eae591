"""A tenant with thousands of texts waiting delays another's single one by two chunks at most, counted in what is sent."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import select

from broker.dispatch import Dispatch
from db import jobs
from db.batch import Batch
from db.bulk import Manner, NewRow, submit_rows
from db.job import Job
from db.rubric import default_rubric
from db.work import Finished, NewJob
from tests.tenants import new_tenant
from tests.unit.broker.test_dispatch import celery, messages, settings  # noqa: F401
from tests.unit.db.test_jobs import RESULT

MANY, CHUNK = 5_000, 8


@pytest.fixture
def queue():
    return f"{uuid.uuid4().hex}.any.bulk"


def hand_in_many(database, queue, batches=1):
    """A tenant's thousands of texts."""
    with database.session() as session:
        tenant, rubric = new_tenant(session), default_rubric(session)
        for _ in range(batches):
            batch = Batch(tenant_id=tenant, rubric_id=rubric.id, total=MANY // batches)
            session.add(batch)
            session.flush()
            submit_rows(session, batch, Manner("m", queue), [NewRow("A text.")] * (MANY // batches), held=False)
        return tenant


def hand_in_one(database, queue):
    with database.session() as session:
        new = NewJob(text="One text.", model="m", device="any", priority="bulk", queue=queue)
        return jobs.submit(session, new_tenant(session), default_rubric(session), new).id


def grade(database, chunk):
    """What a worker does with a message."""
    with database.session() as session:
        held = jobs.claim(session, [uuid.UUID(job) for job in chunk], "w", 60)
        jobs.finish(session, [Finished(h.id, h.attempt, {}, RESULT) for h in held], "m", "r")


def sent_before(database, celery, dispatch, queue, late, waiting=()):  # noqa: F811
    """The chunks that a worker has graded when it comes to the late job's."""
    waiting, graded = list(waiting), []
    for _ in range(20):
        dispatch([queue])
        waiting += messages(celery, queue)
        chunk = waiting.pop(0)
        if str(late) in chunk:
            return graded
        grade(database, chunk)
        graded.append(chunk)
    raise AssertionError("the late job was not sent in twenty chunks")


@pytest.mark.parametrize("batches", [1, 20])
def test_two_chunks_at_most_are_graded_before_another_tenants_single_job(database, celery, settings, queue, batches):  # noqa: F811
    dispatch = Dispatch(database, celery, settings)
    many = hand_in_many(database, queue, batches)
    dispatch([queue])
    full = messages(celery, queue)  # the window is full of the big tenant's
    assert [len(chunk) for chunk in full] == [CHUNK, CHUNK]
    late = hand_in_one(database, queue)
    before = sent_before(database, celery, dispatch, queue, late, full)
    assert len(before) <= 2
    with database.session() as session:
        owners = {session.get_one(Job, uuid.UUID(job)).tenant_id for chunk in before for job in chunk}
    assert owners == {many}


def test_each_of_several_small_tenants_comes_next_too(database, celery, settings, queue):  # noqa: F811
    dispatch = Dispatch(database, celery, settings)
    hand_in_many(database, queue)
    dispatch([queue])
    full = messages(celery, queue)
    late = [hand_in_one(database, queue) for _ in range(5)]
    grade(database, full[0])
    dispatch([queue])
    assert {str(job) for job in late} <= set(messages(celery, queue)[0])


def test_a_batch_of_the_same_tenant_takes_turns_with_a_bigger_one(database, celery, settings, queue):  # noqa: F811
    dispatch = Dispatch(database, celery, settings)
    tenant = hand_in_many(database, queue)
    dispatch([queue])
    full = messages(celery, queue)
    with database.session() as session:
        rubric = default_rubric(session)
        batch = Batch(tenant_id=tenant, rubric_id=rubric.id, total=CHUNK)
        session.add(batch)
        session.flush()
        submit_rows(session, batch, Manner("m", queue), [NewRow("A text.")] * CHUNK, held=False)
    with database.session() as session:
        small = {str(job) for job in session.scalars(select(Job.id).where(Job.batch_id == batch.id))}
    grade(database, full[0])
    dispatch([queue])
    assert len(small & set(messages(celery, queue)[0])) == CHUNK // 2
