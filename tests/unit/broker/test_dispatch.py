"""Dispatch sends what fits, after the commit, and loses nothing when the broker is away."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from queue import Empty

import pytest
from celery import Celery
from kombu.exceptions import OperationalError
from sqlalchemy import select

from broker.app import make_app
from broker.dispatch import Dispatch, Dispatcher
from broker.settings import BrokerSettings
from broker.sweep import sweep
from db import jobs
from db.job import Job
from db.rubric import default_rubric
from db.tenant import default_tenant
from db.window import forget_lost
from db.work import NewJob
from db.worker import Beat, beat
from gradeline.stack.home import free_port


@pytest.fixture
def queue():
    return f"{uuid.uuid4().hex}.any.interactive"


@pytest.fixture
def settings(servers):
    return BrokerSettings(database_url=servers.database_url, redis_url=servers.redis_url)


@pytest.fixture
def celery(settings):
    app = make_app(settings)
    yield app
    app.close()


def submit(database, queue, count):
    with database.session() as session:
        tenant, rubric = default_tenant(session).id, default_rubric(session)
        new = NewJob(text="A text.", model="m", device="any", priority="interactive", queue=queue)
        return [jobs.submit(session, tenant, rubric, new).id for _ in range(count)]


def messages(celery: Celery, queue: str) -> list[list[str]]:
    found = []
    with celery.connection_for_read() as connection, connection.SimpleQueue(queue) as waiting:
        with contextlib.suppress(Empty):
            while True:
                message = waiting.get(block=False)
                found.append(message.payload[0][0])
                message.ack()
    return found


def dispatched(database, ids):
    with database.session() as session:
        return [session.get_one(Job, job).dispatched_at is not None for job in ids]


def live(database, queue, name, job_ms):
    """A worker that is alive, says nothing else than how long a job takes it."""
    said = Beat(
        name=name, pid=1, host="h", queues=[queue], model="m", revision="", engine="fake", device="cpu", window=512,
        criteria=[], head="h@1", rss_bytes=0, job_ms={queue: job_ms} if job_ms else {},
    )  # fmt: skip
    with database.session() as session:
        beat(session, said, 60)


def test_a_quick_queue_goes_out_in_long_chunks_and_what_is_left_is_shared(database, celery, settings, queue):
    live(database, queue, f"a {queue}", 10.0)
    live(database, queue, f"b {queue}", 20.0)
    submit(database, queue, 50)
    # 15 ms a job on average: 0.3 s hold 20 of them; two workers with a window of two messages each take all 50
    assert Dispatch(database, celery, settings)([queue]) == 50
    assert [len(chunk) for chunk in messages(celery, queue)] == [20, 20, 10]
    submit(database, queue, 10)
    with database.session() as session:
        forget_lost(session, 0)
        jobs.claim(session, list(session.scalars(select(Job.id).where(Job.queue == queue).limit(50))), "w", 60)
    assert Dispatch(database, celery, settings)([queue]) == 10
    assert [len(chunk) for chunk in messages(celery, queue)] == [5, 5]


def test_chunks_stay_whole_while_more_waits(database, celery, settings, queue):
    for name in "abcd":
        live(database, queue, f"{name} {queue}", 30.0)
    submit(database, queue, 200)
    dispatch = Dispatch(database, celery, settings)
    assert dispatch([queue]) == 80  # 10 jobs fill 0.3 s, two messages for each of four workers
    first = messages(celery, queue)
    with database.session() as session:
        jobs.claim(session, [uuid.UUID(job) for job in first[0]], "w", 60)
    assert dispatch([queue]) == 10  # the room that one chunk has left
    assert [len(chunk) for chunk in (*first, *messages(celery, queue))] == [10] * 9


def test_a_change_of_pace_leaves_no_crumbs(database, celery, settings, queue):
    submit(database, queue, 200)
    dispatch, sizes = Dispatch(database, celery, settings), []
    for job_ms, size in ((30.0, 10), (25.0, 12), (37.5, 8), (33.0, 9), (30.0, 10)):
        live(database, queue, f"a {queue}", job_ms)
        dispatch._live_at = 0.0
        dispatch([queue])
        for chunk in messages(celery, queue):
            sizes.append((len(chunk), size))
            with database.session() as session:
                jobs.claim(session, [uuid.UUID(job) for job in chunk[: len(chunk) // 2]], "w", 60)
    assert sizes and all(sent == size for sent, size in sizes), sizes


def test_jobs_go_out_in_chunks_of_ids_in_the_order_they_came(database, celery, settings, queue):
    ids = submit(database, queue, 20)
    dispatch = Dispatch(database, celery, settings)
    assert dispatch([queue]) == 16  # two chunks of eight: the window of a queue that nobody consumes yet
    sent = messages(celery, queue)
    assert [len(chunk) for chunk in sent] == [8, 8]
    assert [job for chunk in sent for job in chunk] == [str(job) for job in ids[:16]]
    assert dispatch([queue]) == 0


def sent_one_by_one(database, celery, settings, queue) -> list[int]:
    for name in "ab":
        live(database, queue, f"{name} {queue}", 30.0)
    dispatch, sent = Dispatch(database, celery, settings), []
    for _ in range(8):
        submit(database, queue, 1)
        sent.append(dispatch([queue]))
    return sent


def test_a_queue_is_left_alone_while_messages_enough_wait_and_then_filled_at_once(database, celery, settings):
    queue = f"{uuid.uuid4().hex}.any.bulk"
    # Two children: a third message waits so that neither comes to an empty queue, and then jobs are left to gather.
    assert sent_one_by_one(database, celery, settings, queue) == [1, 1, 1, 0, 0, 0, 0, 0]
    assert [len(chunk) for chunk in messages(celery, queue)] == [1, 1, 1]
    assert Dispatch(database, celery, settings)([queue]) == 5
    assert [len(chunk) for chunk in messages(celery, queue)] == [3, 2]


def test_interactive_jobs_are_sent_at_once_so_that_no_bulk_chunk_comes_between(database, celery, settings, queue):
    assert sent_one_by_one(database, celery, settings, queue) == [1] * 8


def test_while_the_broker_is_away_jobs_wait_in_the_database(database, celery, settings, queue):
    ids = submit(database, queue, 3)
    away = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})
    nowhere = make_app(away)
    with pytest.raises(OperationalError):
        Dispatch(database, nowhere, away)([queue])
    nowhere.close()
    assert dispatched(database, ids) == [False] * 3
    assert Dispatch(database, celery, settings)([queue]) == 3


def test_a_sweep_sends_what_nobody_sent_and_returns_what_was_lost(database, celery, settings, queue):
    waiting, lost = submit(database, queue, 2)
    with database.session() as session:
        jobs.claim(session, [lost], "gone", 0)
    sweep(Dispatch(database, celery, settings))
    assert dispatched(database, [waiting, lost]) == [True, True]
    assert sorted(job for chunk in messages(celery, queue) for job in chunk) == sorted([str(waiting), str(lost)])


def test_suspects_go_out_apart_from_others_and_few_at_a_time(database, celery, settings, queue):
    live(database, queue, f"a {queue}", 1.0)
    ids = submit(database, queue, 40)
    with database.session() as session:
        jobs.claim(session, ids[:20], "gone", 0)
    with database.session() as session:
        jobs.take_back(session, {}, 3, 0)
    assert Dispatch(database, celery, settings)([queue]) == 40
    sent = messages(celery, queue)
    # 256 jobs are a full message, 16 one of jobs that were lost once; the rest is shared between the children: here one
    assert [len(chunk) for chunk in sent] == [16, 4, 20]
    assert [job for chunk in sent for job in chunk] == [str(job) for job in ids]


def test_a_message_says_how_often_its_jobs_were_lost_and_how_long_it_may_run(database, celery, settings, queue):
    live(database, queue, f"a {queue}", 100.0)
    submit(database, queue, 2)
    Dispatch(database, celery, settings)([queue])
    with celery.connection_for_read() as connection, connection.SimpleQueue(queue) as waiting:
        message = waiting.get(block=False)
        message.ack()
    assert message.payload[0][1] == 0
    assert message.headers["timelimit"] == [69.0, 64.0]


def test_what_a_broker_has_lost_is_noticed_and_what_it_holds_is_left_alone(database, celery, settings, queue):
    ids = submit(database, queue, 3)
    told = settings.model_copy(update={"unclaimed_s": 0.01, "redispatch_s": 3600})
    dispatch = Dispatch(database, celery, told)
    dispatch([queue])
    time.sleep(0.05)
    dispatch.forget_lost()
    assert dispatched(database, ids) == [True] * 3
    assert len(messages(celery, queue)) == 1  # read, and with that gone
    dispatch.forget_lost()
    assert dispatched(database, ids) == [False] * 3


def test_a_dispatcher_that_was_stopped_has_no_thread_and_takes_no_wish():
    class Counted:
        done = 0

        def everything(self) -> int:
            self.done += 1
            return 0

    counted = Counted()
    dispatcher = Dispatcher(counted)
    dispatcher.wish()
    deadline = time.monotonic() + 10
    while not counted.done and time.monotonic() < deadline:
        time.sleep(0.01)
    dispatcher.stop()
    dispatcher.wish()
    assert counted.done == 1 and dispatcher._thread not in threading.enumerate()
