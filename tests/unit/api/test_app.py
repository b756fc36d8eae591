"""What holds for the API as a whole."""

from __future__ import annotations

import json
import logging
import os
import sys
import uuid

import pytest
from flask import Flask
from structlog.contextvars import get_contextvars

from api.app import create_app
from api.settings import ApiSettings
from db.logs import Lines
from db.worker import Beat, beat, leave
from gradeline.stack.home import free_port


def test_the_document_is_3_1_and_has_every_route(app: Flask):
    document = app.test_client().get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    documented = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    served = {
        (method, str(rule.rule).replace("<", "{").replace(">", "}"))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not str(rule.rule).startswith(("/docs", "/openapi.json"))
    }
    assert documented == served


def test_errors_in_the_document_are_problems(app: Flask):
    document = app.test_client().get("/openapi.json").json
    responses = document["paths"]["/v1/jobs"]["post"]["responses"]
    assert set(responses) >= {"200", "202", "400", "401", "403", "413", "415", "422"}
    assert responses["422"] == {"$ref": "#/components/responses/422"}
    assert set(document["components"]["responses"]["422"]["content"]) == {"application/problem+json"}


def test_the_docs_page_loads_nothing_from_elsewhere(app: Flask):
    page = app.test_client().get("/docs", follow_redirects=True)
    assert page.status_code == 200
    assert "http://" not in page.text.replace("http://www.w3.org", "") and "//cdn" not in page.text


def test_health_is_open_and_readiness_tells_the_parts(app: Flask):
    http = app.test_client()
    assert http.get("/healthz").json == {"status": "ok"}
    ready = http.get("/readyz")
    assert (ready.status_code, ready.json["database"], ready.json["broker"]) == (200, True, True)


def test_without_servers_every_answer_is_a_problem_and_says_when_to_return():
    nowhere = f"127.0.0.1:{free_port()}"
    app = create_app(ApiSettings(database_url=f"postgresql://x:y@{nowhere}/z", redis_url=f"redis://{nowhere}/0"))
    http = app.test_client()
    ready = http.get("/readyz")
    assert (ready.status_code, ready.json["ready"], ready.json["database"]) == (503, False, False)
    answer = http.post("/v1/jobs", json={"text": "a"}, headers={"Authorization": "Bearer gl_a_b"})
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    app.extensions["gradeline"].database.close()


def test_a_fault_of_ours_is_a_problem_without_insides(servers, make_key, caplog: pytest.LogCaptureFixture):
    app = create_app(ApiSettings(database_url=servers.database_url, redis_url=servers.redis_url))

    @app.get("/fault")
    def fault() -> str:
        raise RuntimeError("student" + " text")

    caplog.handler.setFormatter(Lines("json", sys.stderr))
    with caplog.at_level(logging.INFO):
        answer = app.test_client().get("/fault", headers={"Authorization": f"Bearer {make_key()}"})
    assert (answer.status_code, answer.json["code"]) == (500, "internal")
    assert "student text" not in answer.text and "student text" not in caplog.text
    failed, request = (json.loads(line) for line in caplog.text.splitlines())
    assert failed["event"] == "the request failed: RuntimeError" and "in fault\n" in failed["exception"]
    assert failed["request_id"] == request["request_id"] == answer.json["request_id"]
    assert not get_contextvars()  # the next line of its thread is of another request
    assert (request["event"], request["tenant"], request["status"]) == ("GET /fault 500", failed["tenant"], 500)
    app.extensions["gradeline"].database.close()


def test_workers_models_and_queues_are_listed_for_a_reader(api):
    for path in ("/v1/workers", "/v1/models"):
        assert "items" in api("GET", path).json
    queues = {each["queue"] for each in api("GET", "/v1/queues").json["items"]}
    assert "all-minilm-l6-v2.any.interactive" in queues


def test_a_queue_says_how_many_workers_could_take_from_it(api, database):
    queue, name = "all-minilm-l6-v2.any.interactive", uuid.uuid4().hex
    said = Beat(name, os.getpid(), "host", [queue], "m", "", "fake", "cpu", 0, [], "h", 1)
    with database.session() as session:
        beat(session, said, 60)
    found = {each["queue"]: each["workers"] for each in api("GET", "/v1/queues").json["items"]}
    with database.session() as session:
        leave(session, name, said.pid)
    assert isinstance(found[queue], int) and found[queue] >= 1
    assert found["all-minilm-l6-v2.gpu.bulk"] == 0


def test_answers_carry_the_headers_of_a_careful_server(api):
    answer = api("GET", "/v1/jobs")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert api("HEAD", "/v1/jobs").status_code == 200
