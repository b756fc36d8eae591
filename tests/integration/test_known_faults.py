"""Ways in which Celery on Redis is known to lose, double or delay work, each by the number of its thread."""

from __future__ import annotations

import pytest

from broker.app import make_app
from broker.queues import consumed_by
from tests.integration.line import await_true
from worker.engine.fake import KILLED
from worker.watchdog import DEAF

QUICK = {"lease_s": 3, "sweep_s": 0.5, "beat_s": 0.5}


def test_celery_5935_and_5306_a_chunk_that_outlasts_the_visibility_timeout_is_graded_once(line, model):
    first = line.worker(model, "first", visibility_s=1, fake_chunk_ms=20_000, log_level="DEBUG")
    ids = line.submit(model, ["A text that takes longer than Redis waits."])
    line.dispatch(model)
    line.await_states(ids, "running")
    second = line.worker(model, "second", visibility_s=1, log_level="DEBUG")
    # Redis hands the message to the idle worker, while the first still computes.
    await_true("the message is delivered again", lambda: second.said("] received"))
    await_true("the second worker is done with it", lambda: second.said("] succeeded"))
    assert first.said("] received") and line.states(ids) == ["running"]
    line.await_states(ids, "succeeded")
    (attempt,) = line.attempts(ids[0])
    assert attempt.worker.startswith("first") and line.results(ids) == 1


def test_celery_4984_a_killed_workers_jobs_return_with_its_lease_and_not_an_hour_later(line, model):
    first = line.worker(model, "first", fake_chunk_ms=600_000, **QUICK)
    ids = line.submit(model, [f"A text of a worker that is killed, {n}." for n in range(5)])
    line.dispatch(model)
    line.await_states(ids, "running")
    first.end()
    line.worker(model, "second", visibility_s=3600, **QUICK)
    line.await_states(ids, "succeeded")
    for job in line.jobs(ids).values():
        assert (job.attempt, job.losses) == (2, 1)
        assert [attempt.outcome for attempt in line.attempts(job.id)] == ["lost", "succeeded"]


def test_celery_9082_a_text_that_kills_every_child_ends_after_its_attempts(line, model):
    worker = line.worker(model, max_attempts=2, backoff_s=0, lease_s=120)
    poison = line.submit(model, [f"A text {KILLED}."])
    line.dispatch(model)
    line.await_states(poison, "failed")
    job = line.jobs(poison)[poison[0]]
    assert job.error["code"] in ("worker_lost", "out_of_memory")
    assert [attempt.outcome for attempt in line.attempts(job.id)] == ["lost", "lost"]
    good = line.submit(model, ["A text after that."])
    line.dispatch(model)
    line.await_states(good, "succeeded")
    assert worker.process.poll() is None
    with line.broker() as broker:
        assert not broker.exists(f"gradeline:{model}.any.bulk")


def test_celery_8990_and_10205_a_worker_takes_work_after_valkey_was_killed_and_started_again(line, model):
    worker = line.worker(model, deaf_s=10)
    line.kill("valkey")
    ids = line.submit(model, [f"A text that came while the broker was away, {n}." for n in range(20)])
    line.start("valkey")
    try:
        # It goes on by itself, or the watchdog ends it and its supervisor starts it again.
        await_true("all is graded", lambda: worker.process.poll() is not None or set(line.states(ids)) == {"succeeded"})
        if worker.process.poll() is not None:
            assert worker.process.returncode == DEAF
            line.worker(model)
        line.await_states(ids, "succeeded")
    finally:
        assert line.results(ids) == 20


def test_celery_8990_and_10205_a_deaf_worker_that_answers_a_ping_is_ended_by_its_watchdog(line, model):
    worker = line.worker(model, deaf_s=2)
    app = make_app(line.settings(model))
    name = f"w-{model}"
    try:
        await_true("it answers", lambda: any(name in next(iter(each)) for each in app.control.ping(timeout=1)))
        for queue in consumed_by(model, "cpu"):
            app.control.cancel_consumer(queue, reply=True, timeout=1)
        ids = line.submit(model, ["A text that nobody hears of."])
        line.dispatch(model)
        assert any(name in next(iter(each)) for each in app.control.ping(timeout=1))
    finally:
        app.close()
    assert worker.process.wait(60) == DEAF
    assert worker.said("deaf: messages wait in the broker")
    assert line.states(ids) == ["queued"]
    line.worker(model)
    line.await_states(ids, "succeeded")


def test_celery_6500_an_idle_worker_takes_what_a_busy_one_would_sit_on(line, model):
    line.worker(model, "busy", fake_chunk_ms=600_000, chunk_first=1)
    ids = line.submit(model, [f"A text of ten, {n}." for n in range(10)])
    line.dispatch(model, chunk_first=1)
    await_true("one runs", lambda: "running" in line.states(ids))
    line.worker(model, "idle", chunk_first=1)
    await_true("the others are done", lambda: line.states(ids).count("succeeded") == 9)
    assert line.states(ids).count("running") == 1
    done = [job for job in line.jobs(ids).values() if job.state == "succeeded"]
    assert all(job.worker.startswith("idle") for job in done)


@pytest.mark.parametrize("place", [0, 321])
def test_one_poisonous_text_among_500_fails_alone(line, model, place):
    texts = [f"A text that is not to blame, {n}." for n in range(500)]
    texts[place] += KILLED
    worker = line.worker(model, chunk_first=256, backoff_s=0, lease_s=120)
    ids = line.submit(model, texts)
    line.dispatch(model, chunk_first=256)
    line.await_states(ids, "succeeded", "failed")
    assert [n for n, state in enumerate(line.states(ids)) if state == "failed"] == [place]
    poison = line.jobs(ids)[ids[place]]
    assert (poison.attempt, poison.losses) == (3, 3) and poison.error["code"] in ("worker_lost", "out_of_memory")
    assert line.results(ids) == 499 and worker.process.poll() is None
