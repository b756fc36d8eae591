"""From a request to the row that it made: one trace, whoever runs the job."""

from __future__ import annotations

import json
import logging
import sys
import uuid

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import select

from api.app import create_app
from api.delivering import Delivering
from api.settings import ApiSettings
from broker.otel import Exported
from db import deliveries
from db.job import Job
from db.logs import Lines
from db.webhook import WebhookDelivery
from tests.unit.api.conftest import Api, close
from worker.grading import Grading
from worker.head import load_surface
from worker.marking import Marker
from worker.settings import WorkerSettings

TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "X-Request-ID": "essay-9"}


@pytest.fixture
def kept():
    return InMemorySpanExporter()


@pytest.fixture
def traces(kept):
    opened = Exported("gradeline-test", lambda: kept)
    yield opened
    opened.stop()


@pytest.fixture
def traced(servers, traces, make_key):
    app = create_app(ApiSettings(database_url=servers.database_url, redis_url=servers.redis_url), traces)
    yield Api(app.test_client(), make_key())
    close(app)


def spans(traces, kept) -> dict[str, list]:
    traces.stop()  # sends what it has
    found: dict[str, list] = {}
    for span in kept.get_finished_spans():
        found.setdefault(span.name, []).append(span)
    return found


def grade(database, servers, traces, ids) -> None:
    settings = WorkerSettings(database_url=servers.database_url)
    grading = Grading(database, Marker(None, None, load_surface(), "w"), settings, "w@test", traces)
    grading.chunk([uuid.UUID(job) for job in ids], "t.any.bulk").result()
    grading.stop()


def test_the_trace_of_a_request_arrives_in_the_workers_span_of_its_job_and_finds_the_row(
    traced, traces, kept, database, servers
):
    jobs = [
        traced("POST", "/v1/jobs", json={"text": f"Phones ring in lessons. {n}"}, headers=headers).json["id"]
        for n, headers in enumerate((HEADERS, {}))
    ]
    grade(database, servers, traces, jobs)
    found = spans(traces, kept)
    mine, other = sorted(found["grade"], key=lambda span: span.attributes["gradeline.request_id"] != "essay-9")
    assert f"{mine.context.trace_id:032x}" == TRACE != f"{other.context.trace_id:032x}"
    assert mine.attributes["gradeline.job.id"] == jobs[0] and mine.attributes["gradeline.kept"] is True
    requests = {span.context.span_id: span for span in found["POST /v1/jobs"]}
    assert {mine.parent.span_id, other.parent.span_id} == set(requests)
    (chunk,) = found["grade t.any.bulk"]
    assert {link.context.span_id for link in chunk.links} == set(requests)  # of both of its jobs
    for name in ("load", "tokenize", "compute", "write"):
        assert found[name][0].parent.span_id == chunk.context.span_id
        assert chunk.start_time <= found[name][0].start_time <= found[name][0].end_time <= chunk.end_time
    with database.session() as session:
        row = session.scalar(select(Job).where(Job.traceparent.startswith(f"00-{TRACE}"), Job.id == uuid.UUID(jobs[0])))
    assert row is not None and (row.request_id, str(row.id)) == ("essay-9", jobs[0])


def test_jobs_of_a_batch_and_of_a_regrade_keep_the_request_that_made_them(traced, traces, kept, database, servers):
    rubric = {"items": [{"text": "One text."}, {"text": "Another text."}]}
    batch = traced("POST", "/v1/batches", json=rubric, headers=HEADERS).json["id"]
    with database.session() as session:
        rows = session.scalars(select(Job).where(Job.batch_id == uuid.UUID(batch))).all()
    assert [(row.request_id, row.traceparent.split("-")[1]) for row in rows] == [("essay-9", TRACE)] * 2
    grade(database, servers, traces, [str(row.id) for row in rows])
    again = traced("POST", "/v1/rubrics/default/regrade", headers={"X-Request-ID": "again-1"}).json["id"]
    with database.session() as session:
        assert set(session.scalars(select(Job.request_id).where(Job.batch_id == uuid.UUID(again)))) == {"again-1"}


def test_what_an_erasure_leaves_names_no_request(traced, database):
    job = traced("POST", "/v1/jobs", json={"text": "A text."}, headers=HEADERS).json["id"]
    assert traced("DELETE", f"/v1/jobs/{job}").status_code == 204
    with database.session() as session:
        row = session.get(Job, uuid.UUID(job))
        assert (row.request_id, row.traceparent) == (None, None)


def test_probes_make_no_span_and_requests_that_fail_make_one(traced, traces, kept):
    traced("GET", "/healthz")
    traced("GET", "/v1/jobs/none")
    assert {name: [each.attributes["http.response.status_code"] for each in of] for name, of in spans(traces, kept).items()} == {
        "GET /v1/jobs/<job_id>": [404]
    }  # fmt: skip


def test_a_webhook_is_part_of_the_trace_and_its_line_names_no_address(
    traced, traces, kept, database, servers, endpoint, caplog
):
    caplog.handler.setFormatter(Lines("json", sys.stderr))
    url = f"{endpoint.url}/secret-path"
    body = {"text": "A text.", "callback_url": url}
    job = traced("POST", "/v1/jobs", json=body, headers=HEADERS).json["id"]
    grade(database, servers, traces, [job])
    with database.session() as session:
        row = session.scalar(select(WebhookDelivery).where(WebhookDelivery.job_id == uuid.UUID(job)))
    settings = ApiSettings(database_url=servers.database_url, webhook_allow="127.0.0.1")
    with caplog.at_level(logging.INFO):
        Delivering(database, settings, traces)(row.id, row.attempts)
    assert endpoint.paths == ["/secret-path"]
    (span,) = spans(traces, kept)["webhook"]
    assert f"{span.context.trace_id:032x}" == TRACE and span.attributes["http.response.status_code"] == 204
    assert "secret-path" not in str(span.attributes) + caplog.text
    line = next(json.loads(each) for each in caplog.text.splitlines() if "webhook delivered" in each)
    expected = {"request_id": "essay-9", "job": job, "delivery": str(row.id), "attempt": 1, "host": "127.0.0.1"}
    assert expected.items() <= line.items()
    with database.session() as session:
        assert deliveries.claim(session, row.id, row.attempts, 1) is None  # it is settled
