"""What Prometheus reads."""

from __future__ import annotations

import os
import uuid

import pytest
from prometheus_client.parser import text_string_to_metric_families

from db.worker import Beat, beat, leave


@pytest.fixture
def degraded_worker(database):
    """A live worker child that has lost its engine."""
    name = uuid.uuid4().hex
    said = Beat(name, os.getpid(), "host", ["q"], "m", "", "surface", "cpu", 0, [], "surface@1", 1)
    with database.session() as session:
        beat(session, said, 60)
    yield said
    with database.session() as session:
        leave(session, name, said.pid)


def samples(api):
    answer = api("GET", "/metrics")
    assert answer.status_code == 200 and answer.content_type.startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    return {(s.name, *sorted(s.labels.values())): s.value for f in families for s in f.samples}


def test_a_worker_without_its_engine_is_counted(api, degraded_worker):
    found = samples(api)
    assert found["gradeline_workers_degraded",] >= 1
    assert found["gradeline_workers", "cpu", "m", "surface"] >= 1


def test_a_job_that_waits_is_counted_by_queue(api):
    before = sum(v for k, v in samples(api).items() if k[0] == "gradeline_open_jobs" and "queued" in k)
    api("POST", "/v1/jobs", json={"text": "A text that waits."})
    after = sum(v for k, v in samples(api).items() if k[0] == "gradeline_open_jobs" and "queued" in k)
    assert after == before + 1


def test_metrics_need_an_admins_key(app, make_key):
    http = app.test_client()
    assert http.get("/metrics").status_code == 401
    key = make_key("read", "submit")
    assert http.get("/metrics", headers={"Authorization": f"Bearer {key}"}).status_code == 403
