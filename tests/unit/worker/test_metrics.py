"""What a worker counts and tells."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from dataclasses import replace

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from db.work import Claimed, Finished
from gradeline.stack.home import free_port
from worker.metrics import Counted, Many
from worker.settings import WorkerSettings

JOB = Claimed(uuid.uuid4(), 1, True, False, "a", None, uuid.uuid4(), [], queue_ms=2000.0)
RUN = {"tokens": 300, "tokenize_ms": 20.0, "inference_ms": 400.0}
SCORED = {"degraded": False}


def finished(job, run=RUN, result=SCORED, error=None, vector=b"v"):
    return Finished(job.id, job.attempt, run, result, error, vector)


def value(counted, name, **labels):
    return counted.registry.get_sample_value(name, labels)


def test_a_chunk_is_counted_with_its_jobs_stages_and_waits():
    counted, held = Counted(), [replace(JOB, id=uuid.uuid4()) for _ in range(3)]
    chunk = counted.chunk("m.any.interactive", held, time.perf_counter())
    chunk.written(held, [finished(job) for job in held], time.perf_counter())
    assert value(counted, "gradeline_chunk_jobs_sum", lane="interactive") == 3
    assert value(counted, "gradeline_job_wait_seconds_sum", lane="interactive") == pytest.approx(6)
    assert value(counted, "gradeline_job_seconds_count", lane="interactive") == 3
    assert value(counted, "gradeline_tokens_total") == 900
    # Computed as one: the times of the chunk are not added up over its jobs.
    assert value(counted, "gradeline_stage_seconds_sum", stage="compute") == pytest.approx(0.4)
    assert value(counted, "gradeline_stage_seconds_sum", stage="tokenize") == pytest.approx(0.02)
    for stage in ("claim", "write"):
        assert value(counted, "gradeline_stage_seconds_count", stage=stage) == 1


def test_results_are_counted_by_how_they_came_about_and_failures_by_code():
    counted, held = Counted(), [replace(JOB, id=uuid.uuid4()) for _ in range(5)]
    chunk = counted.chunk("m.any.bulk", held, time.perf_counter())
    ended = [
        finished(held[0]),
        finished(held[1], vector=None),
        finished(held[2], {"tokens": None}, {"degraded": False, "cached": True}, vector=None),
        finished(held[3], {"tokens": None}, {"degraded": True}, vector=None),
        finished(held[4], {}, None, {"code": "unscorable"}, None),
    ]
    chunk.written(held, ended, time.perf_counter())
    for kind in ("new", "reread", "cached", "degraded"):
        assert value(counted, "gradeline_results_total", kind=kind) == 1
    assert value(counted, "gradeline_failures_total", code="unscorable") == 1


def test_many_values_at_once_are_what_they_are_one_by_one():
    amounts = [0.0, 0.1, 0.10001, 1.0, 7.0, 100.0]
    one, all_ = (Many("seen", "Seen", buckets=(0.1, 1, 10), registry=None) for _ in range(2))
    for amount in amounts:
        one.observe(amount)
    all_.observe_all(amounts)
    (a,), (b,) = one.collect(), all_.collect()
    assert [s[:3] for s in a.samples if "created" not in s.name] == [
        s[:3] for s in b.samples if "created" not in s.name
    ]


def test_what_has_not_happened_is_told_as_nothing():
    assert value(Counted(), "gradeline_attempts_lost_total", reason="lease_ended") == 0


SERVED = """
import os, sys, time, urllib.request
from worker.metrics import counted; from worker.metrics_port import serve
from worker.settings import WorkerSettings
from billiard import process

settings = WorkerSettings()
server = serve(settings)
for index in (0, 1, 0):  # the third takes the first one's place
    pid = os.fork()
    if pid == 0:
        process.current_process().index = index
        counted().lose("timed_out", 2)
        os._exit(0)
    os.waitpid(pid, 0)
counted().lose("timed_out", 1)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def served(tmp_path):
    port = free_port()
    environment = {**os.environ, "GRADELINE_METRICS_PORT": str(port), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVED], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout.readline().strip() == b"ready"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.communicate(timeout=60)


def test_the_parent_tells_what_all_its_children_have_counted(served):
    answer = httpx.get(f"{served}/metrics", timeout=60)
    assert answer.headers["content-type"].startswith("text/plain")
    families = {f.name: f for f in text_string_to_metric_families(answer.text)}
    lost = {s.labels["reason"]: s.value for s in families["gradeline_attempts_lost"].samples}
    assert lost["timed_out"] == 7
    assert families["gradeline_worker_memory_bytes"].samples[0].value > 1e6
    assert httpx.get(f"{served}/", timeout=60).status_code == 404


def test_a_port_that_is_taken_costs_a_worker_its_metrics_and_nothing_else(served):
    code = "from worker.metrics_port import serve; from worker.settings import WorkerSettings; print(serve(WorkerSettings()))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "GRADELINE_METRICS_PORT": served.rpartition(":")[2]},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "None" and "nobody can read metrics" in done.stderr


def test_without_a_port_nobody_listens():
    assert WorkerSettings().metrics_port == 0
