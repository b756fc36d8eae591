"""What Prometheus reads."""

from __future__ import annotations

import os
import threading
import time
import uuid

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError
from sqlalchemy import text

from api import gauges
from api.settings import ApiSettings
from db.tenant import SCOPES, create_key, default_tenant
from db.worker import Beat, beat, leave

TOKEN = "a-token-for-prometheus"


@pytest.fixture
def degraded_worker(database):
    """A live worker child that has lost its engine."""
    name = uuid.uuid4().hex
    said = Beat(name, os.getpid(), "host", ["q.any.bulk"], "m", "", "surface", "cpu", 0, [], "surface@1", 1)
    with database.session() as session:
        beat(session, said, 60)
    yield said
    with database.session() as session:
        leave(session, name, said.pid)


def read(body):
    families = list(text_string_to_metric_families(body))
    return {(s.name, *(s.labels[key] for key in sorted(s.labels))): s.value for f in families for s in f.samples}


def samples(api):
    answer = api("GET", "/metrics")
    assert answer.status_code == 200 and answer.content_type.startswith("text/plain")
    return read(answer.text)


def by_token(app, token=TOKEN):
    return app.test_client().get("/metrics", headers={"Authorization": f"Bearer {token}"})


def test_a_worker_without_its_engine_is_counted(api, degraded_worker):
    found = samples(api)
    assert found["gradeline_workers_degraded",] >= 1
    assert found["gradeline_workers", "cpu", "surface", "m"] >= 1
    assert found["gradeline_model_info", "cpu", "surface", "surface@1", "m", ""] == 1
    assert found["gradeline_queue_workers", "bulk", "q.any.bulk"] >= 1


def test_a_job_that_waits_is_counted_by_queue_with_its_age(api, app):
    queue = f"{app.extensions['gradeline'].settings.own_model}.any.interactive".lower()
    before = samples(api)
    api("POST", "/v1/jobs", json={"text": "A text that waits."})
    after = samples(api)
    name = "gradeline_queue_depth", "interactive", queue
    assert after[name] == before.get(name, 0) + 1
    assert after["gradeline_jobs", "queued"] == before["gradeline_jobs", "queued"] + 1
    assert after["gradeline_queue_oldest_seconds", "interactive", queue] > 0
    assert after["gradeline_window_size", "interactive", queue] >= 1


def test_requests_are_counted_by_route_and_never_by_address(api):
    job = uuid.uuid4()
    api("GET", f"/v1/jobs/{job}")
    api("GET", f"/nowhere/{job}")
    api("BREW", f"/nowhere/{job}")
    body = api("GET", "/metrics").text
    found = read(body)
    assert found["gradeline_http_requests_total", "GET", "/v1/jobs/<job_id>", "404"] >= 1
    assert found["gradeline_http_requests_total", "GET", "unmatched", "404"] >= 1
    assert found["gradeline_http_requests_total", "other", "unmatched", "404"] >= 1
    assert found["gradeline_http_request_seconds_count", "GET", "/v1/jobs/<job_id>"] >= 1
    assert str(job) not in body


def test_all_parts_are_told_with_help_and_kind(api):
    families = {f.name: f for f in text_string_to_metric_families(api("GET", "/metrics").text)}
    for gauge in gauges.ALL:
        assert (families[gauge.name].type, families[gauge.name].documentation) == ("gauge", gauge.help)
    parts = families["gradeline_scrape_part_up"].samples
    assert {s.labels["part"] for s in parts} == {"workers", "queues", "results", "webhooks", "scores"}
    assert all(s.value == 1 for s in parts)


def test_metrics_need_an_admins_key(app, make_key):
    http = app.test_client()
    assert http.get("/metrics").status_code == 401
    for scopes, status in ((("read", "submit", "review"), 403), (("admin",), 200)):
        assert http.get("/metrics", headers={"Authorization": f"Bearer {make_key(*scopes)}"}).status_code == status


def test_a_token_opens_the_metrics_and_nothing_else(make_app):
    app = make_app(metrics_token=TOKEN)
    assert by_token(app).status_code == 200
    assert by_token(app, f"{TOKEN}x").status_code == 401
    assert by_token(app, "").status_code == 401
    assert app.test_client().get("/v1/queues", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 401


def test_without_a_token_an_empty_one_opens_nothing(app):
    assert by_token(app, "").status_code == 401


def test_a_token_that_could_be_guessed_is_refused():
    with pytest.raises(ValidationError):
        ApiSettings(metrics_token="short")


def test_while_the_database_is_away_the_rest_is_told(make_app):
    app = make_app(metrics_token=TOKEN, database_url="postgresql://nobody@127.0.0.1:1/none", database_connect_s=1)
    assert app.test_client().get("/healthz").status_code == 200
    answer = by_token(app)
    assert answer.status_code == 200
    found = read(answer.text)
    assert found["gradeline_database_up",] == 0
    assert found["gradeline_http_requests_total", "GET", "/healthz", "200"] == 1
    assert not any(name[0] == "gradeline_jobs" for name in found)


def test_a_part_that_takes_too_long_is_left_out(make_app, database):
    app = make_app(metrics_token=TOKEN, metrics_statement_ms=200)
    with database.session() as session:
        session.execute(text("LOCK TABLE webhook_delivery IN ACCESS EXCLUSIVE MODE"))
        found = read(by_token(app).text)
    assert found["gradeline_scrape_part_up", "webhooks"] == 0
    assert found["gradeline_scrape_part_up", "queues"] == 1
    assert ("gradeline_webhooks_due_seconds",) not in found
    assert found["gradeline_database_up",] == 1


def test_every_process_of_an_api_tells_the_counts_of_all_of_them(serve, database):
    """And one that takes the place of a dead one goes on with its counts."""
    served = serve(api_processes=2, metrics_token=TOKEN)
    with database.session() as session:
        key = create_key(session, default_tenant(session).id, "t", SCOPES)
    asked = "gradeline_http_requests_total", "GET", "/v1/models", "200"

    def counted():
        answer = httpx.get(f"{served.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)
        return read(answer.raise_for_status().text).get(asked, 0)

    def ask(times):
        with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=60) as http:
            threads = [threading.Thread(target=lambda: http.get(f"{served.url}/v1/models")) for _ in range(times)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    ask(20)
    assert counted() == 20
    dead = served.worker
    dead.kill()
    deadline = time.monotonic() + 60
    while dead.is_running():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert counted() == 20
    ask(5)
    assert counted() == 25
