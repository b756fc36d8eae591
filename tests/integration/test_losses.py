"""What happens to work when something dies, hangs or is told to stop."""

from __future__ import annotations

import base64
import json
import signal
import threading
import time
from contextlib import contextmanager

import pytest

from broker.app import make_app
from broker.dispatch import Dispatch
from broker.sweep import sweep
from db import jobs
from db.work import Finished
from gradeline.errors import ClientError
from tests.integration.line import await_true
from worker.engine.fake import OBSTINATE, STUCK

LONG_MS = 600_000


def test_a_killed_childs_jobs_are_given_back_by_its_parent_before_their_lease_ends(line, model):
    worker = line.worker(model, fake_chunk_ms=3000, lease_s=600, backoff_s=0)
    ids = line.submit(model, [f"A text of a child that is killed, {n}." for n in range(4)])
    line.dispatch(model)
    line.await_states(ids, "running")
    (child,) = worker.children()
    child.kill()
    line.await_states(ids, "succeeded")
    for job in line.jobs(ids).values():
        assert (job.attempt, job.losses) == (2, 1)
        assert [attempt.outcome for attempt in line.attempts(job.id)] == ["lost", "succeeded"]


def test_a_worker_that_is_told_to_stop_hands_a_long_chunk_back_at_once_and_without_a_loss(line, model):
    worker = line.worker(model, fake_chunk_ms=LONG_MS, worker_grace_s=1, lease_s=600)
    ids = line.submit(model, [f"A text of a worker that stops, {n}." for n in range(5)])
    line.dispatch(model)
    line.await_states(ids, "running")
    worker.process.send_signal(signal.SIGTERM)
    worker.process.wait(60)
    # Nobody sweeps now, and no lease has ended: the worker itself has given them back.
    for job in line.jobs(ids).values():
        assert (job.state, job.attempt, job.losses) == ("queued", 1, 0)
    assert [a.outcome for a in line.attempts(ids[0])] == ["handed_back"]
    line.worker(model, "next")
    line.await_states(ids, "succeeded")
    assert {(job.attempt, job.losses) for job in line.jobs(ids).values()} == {(2, 0)}


@contextmanager
def events(line):
    """What is told of tasks: a call returns all of it until now."""
    with line.broker() as client, client.pubsub() as heard:
        heard.psubscribe("*celeryev/task*")
        assert heard.get_message(timeout=10)["type"] == "psubscribe"
        told: list[bytes] = []

        def so_far() -> bytes:
            while (message := heard.get_message(timeout=0.5)) is not None:
                told.append(base64.b64decode(json.loads(message["data"])["body"]))
            return b"".join(told)

        yield so_far


def grade_one(line, model):
    ids = line.submit(model, ["A text whose end is told."])
    line.dispatch(model)
    line.await_states(ids, "succeeded")


def test_a_worker_that_stops_tells_flower_of_its_last_chunk(line, model):
    worker = line.worker(model, fake_chunk_ms=0)
    with events(line) as told:
        grade_one(line, model)
        worker.process.send_signal(signal.SIGTERM)
        worker.process.wait(60)
        said = told()
    for event in (b"task-received", b"task-started", b"task-succeeded"):
        assert said.count(event) == 1, said


def test_flower_is_told_again_after_the_broker_was_lost(line, model):
    line.worker(model, fake_chunk_ms=0)
    grade_one(line, model)
    line.kill("valkey")  # with events that were to be sent
    line.start("valkey")
    with events(line) as told:
        grade_one(line, model)
        await_true("its end is told", lambda: b"task-succeeded" in told())


def test_a_chunk_that_cannot_be_interrupted_is_given_back_when_the_grace_ends(line, model):
    worker = line.worker(model, worker_grace_s=1, lease_s=600)
    ids = line.submit(model, [f"A text {OBSTINATE}."])
    line.dispatch(model)
    line.await_states(ids, "running")
    worker.process.send_signal(signal.SIGTERM)
    line.await_states(ids, "queued")
    assert line.jobs(ids)[ids[0]].losses == 0
    with line.database.session() as session:  # it would hold up every worker after it
        jobs.cancel(session, line.jobs(ids)[ids[0]].tenant_id, ids[0])


def test_a_worker_that_is_told_to_stop_finishes_a_chunk_that_its_grace_is_long_enough_for(line, model):
    worker = line.worker(model, fake_chunk_ms=2000, worker_grace_s=60)
    ids = line.submit(model, [f"A text that is still graded, {n}." for n in range(3)])
    line.dispatch(model)
    line.await_states(ids, "running")
    worker.process.send_signal(signal.SIGTERM)
    worker.process.wait(90)
    assert set(line.states(ids)) == {"succeeded"} and line.jobs(ids)[ids[0]].attempt == 1


@pytest.mark.parametrize("fault", [STUCK, OBSTINATE])
def test_a_text_that_takes_for_ever_fails_with_timed_out_and_the_worker_goes_on(line, model, fault):
    limits = {"time_limit_s": 10, "chunk_limit_s": 1, "max_attempts": 1}
    line.worker(model, lease_s=600, **limits)
    ids = line.submit(model, [f"A text {fault}."])
    line.dispatch(model, **limits)
    line.await_states(ids, "failed")
    assert line.jobs(ids)[ids[0]].error["code"] == "timed_out"
    good = line.submit(model, ["A text after that."])
    line.dispatch(model)
    line.await_states(good, "succeeded")


def test_a_child_that_has_used_too_much_memory_finishes_its_chunk_and_is_replaced(line, model):
    worker = line.worker(model, child_memory_mb=1)
    (first,) = worker.children()
    ids = line.submit(model, [f"A text of a large child, {n}." for n in range(5)])
    line.dispatch(model)
    line.await_states(ids, "succeeded")
    assert {job.attempt for job in line.jobs(ids).values()} == {1}
    await_true("another child", lambda: [c.pid for c in worker.children()] not in ([], [first.pid]))
    again = line.submit(model, ["A text for the next child."])
    line.dispatch(model)
    line.await_states(again, "succeeded")
    assert worker.said("GRADELINE_CHILD_MEMORY_MB")


def test_everything_is_graded_although_valkey_was_emptied_and_no_message_is_old_enough_to_be_lost(line, model):
    line.worker(model, fake_ms=1, redispatch_s=600, chunk_first=32, chunk_bulk_s=0.2)
    ids = line.submit(model, [f"A text of two thousand, {n}." for n in range(2000)])
    line.dispatch(model, chunk_first=32)
    await_true("some are done", lambda: line.count(ids, "succeeded"))
    with line.broker() as broker:
        broker.flushall()
    assert line.count(ids, "queued")
    line.await_states(ids, "succeeded")
    assert line.results(ids) == 2000 and {job.losses for job in line.jobs(ids).values()} == {0}


def test_a_job_is_graded_once_although_a_crash_of_the_database_undid_its_claim(line, model):
    ids = line.submit(model, [f"A text that was claimed when the database crashed, {n}." for n in range(20)])
    with line.database.session() as session:
        first = jobs.claim(session, ids, "first", 0.5)
    line.kill("postgres")
    line.start("postgres")
    line.database.close()
    # Whether the claim was written or not: what has no holder waits again.
    told = line.settings(model)
    app = make_app(told)
    await_true("they wait", lambda: sweep(Dispatch(line.database, app, told)) or set(line.states(ids)) == {"queued"})
    app.close()
    with line.database.session() as session:
        second = jobs.claim(session, ids, "second", 60)
    assert len(first) == len(second) == 20
    result = {
        "scores": [], "overall": {}, "advisories": [], "scored_by": {}, "degraded": False, "review_reasons": [],
    }  # fmt: skip
    kept = []
    for held in (first, second):
        with line.database.session() as session:
            kept += jobs.finish(session, [Finished(h.id, h.attempt, {}, result) for h in held], "m", "r")
    assert sorted(kept) == sorted(ids) and set(line.states(ids)) == {"succeeded"} and line.results(ids) == 20
    for job in ids:
        assert [a.outcome for a in line.attempts(job)].count("succeeded") == 1


def test_no_accepted_text_is_lost_while_the_database_is_killed_and_away_for_seconds(line, model):
    worker = line.worker(model, fake_ms=20)
    client = line.api(model)
    accepted, refused, stop = [], [], threading.Event()

    def hand_in() -> None:
        while not stop.is_set():
            try:
                accepted.append(client.submit(f"A text under load, {len(accepted)}.")["id"])
            except ClientError as error:
                refused.append(error)
                time.sleep(0.1)

    thread = threading.Thread(target=hand_in)
    thread.start()
    try:
        await_true("some were accepted", lambda: len(accepted) > 20)
        line.kill("postgres")
        time.sleep(5)
        line.start("postgres")
        before = len(accepted)
        await_true("the API accepts again, without a restart", lambda: len(accepted) > before + 20)
    finally:
        stop.set()
        thread.join(60)
    line.database.close()
    done = client.wait_for(accepted, seconds=120)
    client.close()
    assert refused and {job["state"] for job in done.values()} == {"succeeded"} and len(done) == len(accepted)
    assert worker.process.poll() is None
