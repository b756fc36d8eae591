"""One essay followed through all processes: by its request's id in the logs, by its trace at a collector."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from gradeline.stack.home import free_port
from tests.integration.line import ROOT, await_true
from worker.engine.fake import KILLED, QUOTED, UNKNOWN

TRACE = uuid.uuid4().hex
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


class Collector:
    """Takes spans as a collector does, over HTTP."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []
        spans = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for of_process in ExportTraceServiceRequest.FromString(body).resource_spans:
                    service = {a.key: a.value.string_value for a in of_process.resource.attributes}["service.name"]
                    spans.extend((service, span) for scope in of_process.scope_spans for span in scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def named(self, name: str, **attributes: str) -> list[tuple[str, Span]]:
        return [
            (service, span) for service, span in self.spans
            if span.name == name and attributes.items() <= values(span).items()
        ]  # fmt: skip

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def values(span: Span) -> dict[str, str]:
    return {each.key.replace(".", "_"): each.value.string_value for each in span.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    opened = Collector()
    yield opened
    opened.stop()


def test_a_request_is_followed_by_its_id_and_its_trace_and_no_log_has_the_text(line, model, collector, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
    marker = f"marker{uuid.uuid4().hex}"
    line.worker(model, backoff_s=0, max_attempts=2, lease_s=3)
    with line.api(model) as client:
        url = client.url
    key = line.home.key_file.read_text().strip()

    def ask(request_id: str, text: str, **fields: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}", "X-Request-ID": request_id, "traceparent": PARENT}
        return httpx.post(f"{url}/v1/jobs", json={"text": f"{text} {marker}", **fields}, headers=headers, timeout=30)

    good = ask("essay-7", "Phones belong in the bag, because they ring.", prompt=f"Phones? {marker}").json()["id"]
    # What a child has not sent when it is killed is lost, so that comes afterwards.
    await_true("the job's span", lambda: collector.named("grade", gradeline_job_id=good))
    failing = [
        ask("essay-quoted", f"A text {QUOTED}").json()["id"],
        ask("essay-unknown", f"A text {UNKNOWN}", allow_degraded=False).json()["id"],
        ask("essay-killed", f"A text {KILLED}").json()["id"],
        ask("essay-empty", "?!").json()["id"],
    ]
    # Bodies and addresses that are none, with the text where a server might quote it.
    auth = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    assert httpx.post(f"{url}/v1/jobs", content=f'{{"text": "{marker}', headers=auth).status_code == 400
    assert (
        httpx.post(f"{url}/v1/jobs?key={marker}", json={"text": marker, "mode": marker}, headers=auth).status_code
        == 422
    )
    with socket.create_connection(("127.0.0.1", httpx.URL(url).port), timeout=30) as raw:
        raw.sendall(f"{marker} is no request\r\n\r\n".encode())
        raw.recv(100)
    for each in (good, *failing):
        await_true(f"{each} ends", lambda each=each: line.states([uuid.UUID(each)])[0] in ("succeeded", "failed"))

    def lines(**fields: str) -> list[dict[str, object]]:
        found = [
            json.loads(each) for log in line.home.logs.glob("*.log") for each in log.read_text().splitlines()
            if each.startswith("{")
        ]  # fmt: skip
        return [each for each in found if fields.items() <= each.items()]

    await_true("the worker's line", lambda: lines(request_id="essay-7", event="graded"))
    (api,), (worker,) = (
        lines(request_id="essay-7", service="gradeline-api"),
        lines(request_id="essay-7", event="graded"),
    )
    assert (api["event"], api["tenant"], api["job"], api["trace_id"]) == ("POST /v1/jobs 202", "default", good, TRACE)
    assert (worker["job"], worker["attempt"], worker["trace_id"]) == (good, 1, TRACE)
    assert str(worker["worker"]).startswith(f"w-{model}") and worker["chunk"] and worker["engine"] == "fake"
    assert {each["code"] for each in lines(request_id="essay-unknown", event="back in its queue")} == {"internal"}
    assert lines(request_id="essay-killed", event="given up") and lines(event="a task broke off")
    assert lines(event="POST /v1/jobs 400") and lines(event="POST /v1/jobs 422")
    said = "".join(log.read_text(errors="replace") for log in line.home.logs.glob("*.log"))
    assert marker not in said and key not in said and line.database_url not in said and line.redis_url not in said
    strays = [
        each for log in line.home.logs.glob("*-*.log") for each in log.read_text().splitlines() if each[:1] != "{"
    ]  # fmt: skip
    assert not strays  # every line of every process of ours is JSON

    # The same way at the collector: the request, the job in its trace, and the chunk that the message of a dispatch brought.
    (service, job), *_ = collector.named("grade", gradeline_job_id=good)
    (_, request), *_ = collector.named("POST /v1/jobs", gradeline_request_id="essay-7")
    assert service == "gradeline-worker" and job.trace_id.hex() == request.trace_id.hex() == TRACE
    assert job.parent_span_id == request.span_id and request.parent_span_id.hex() == PARENT.split("-")[2]
    await_true("the chunk's span", lambda: chunk_of(collector, job))
    chunk = chunk_of(collector, job)
    assert request.span_id in [each.span_id for each in chunk.links]
    await_true("its stages", lambda: len(stages(collector, chunk)) == 4)
    assert stages(collector, chunk) == {"load", "tokenize", "compute", "write"}
    sent = f"send {model}.any.interactive"
    await_true("its message", lambda: [s for _, s in collector.named(sent) if s.span_id == chunk.parent_span_id])
    row = line.jobs([uuid.UUID(good)])[uuid.UUID(good)]
    assert row.request_id == "essay-7" and row.traceparent.split("-")[1] == TRACE
    assert marker not in str(collector.spans)


def chunk_of(collector: Collector, job: Span) -> Span | None:
    return next((span for _, span in collector.spans if span.span_id == job.links[0].span_id), None)


def stages(collector: Collector, chunk: Span) -> set[str]:
    return {span.name for _, span in collector.spans if span.parent_span_id == chunk.span_id}


def test_a_collector_that_is_away_costs_no_result_and_no_stop(line, model, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    worker = line.worker(model)
    ids = line.submit(model, [f"A text that nobody traces, {n}." for n in range(50)])
    line.dispatch(model)
    line.await_states(ids, "succeeded")
    worker.process.terminate()
    assert worker.process.wait(60) == 0


@pytest.mark.skipif(shutil.which("jq") is None, reason="the page's examples need jq")
def test_every_line_of_the_page_on_logs_does_what_it_says(stack, tmp_path):
    blocks = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs/logs.md").read_text(), re.MULTILINE | re.DOTALL)
    command = f'gradeline() {{ {sys.executable} -c "from gradeline.cli import main; main()" "$@" --home {stack.home.path}; }}\n'
    key = (stack.home.path / "api-key").read_text().strip()
    told = {**os.environ, "URL": stack.home.read()["url"], "KEY": key, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-s"], input=command + "".join(blocks), capture_output=True, text=True, timeout=120,
        cwd=tmp_path, env=told, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "graded" in done.stdout and "POST /v1/jobs 200" in done.stdout and '"route": "/v1/jobs"' in done.stdout
