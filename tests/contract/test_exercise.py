"""An API that does not keep its word is found out; one that refuses for a reason is not blamed."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest
from flask import Flask, Response, request
from werkzeug.serving import make_server

from tests.contract.exercise import exercise

ID = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
NAMED = {"in": "path", "name": "name", "required": True, "schema": {"type": "string"}}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Things", "version": "1"},
    "paths": {
        "/things": {
            "post": {
                "requestBody": {"required": True, "content": {"application/json": {"schema": ID}}},
                "responses": {
                    "201": {"description": "", "content": {"application/json": {"schema": ID}}},
                    **{status: {"description": ""} for status in ("400", "415", "422")},
                },
            }
        },
        # An operation that takes nothing, and one that takes a name.
        **{
            path: {"get": {"parameters": names, "responses": {"200": {"description": ""}, "404": {"description": ""}}}}
            for path, names in {"/state": [], "/others/{name}": [NAMED]}.items()
        },
    },
}


def made(body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    return {"id": body["id"]}, 201


def refused(sentence: str) -> Response:
    problem = {"status": 422, "code": "invalid_request", "detail": sentence, "errors": []}
    return Response(json.dumps(problem), 422, mimetype="application/problem+json")


@contextmanager
def serving(answer: Callable[[dict[str, Any]], Any]) -> Iterator[str]:
    app = Flask(__name__)
    app.get("/openapi.json", endpoint="document")(lambda: DOCUMENT)
    app.get("/state", endpoint="state")(lambda: "")

    @app.post("/things")
    def make() -> Any:
        body = request.get_json(silent=True)
        good = isinstance(body, dict) and isinstance(body.get("id"), int) and not isinstance(body["id"], bool)
        return answer(body) if good else ("", 422)

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


ANSWERS = {
    "as it says": (made, set()),
    "a status that it does not name": (lambda _: ({"id": 1}, 200), {"status_code_conformance"}),
    "a failure": (lambda _: ("", 500), {"not_a_server_error", "status_code_conformance"}),
    "another type": (lambda _: ({"id": "1"}, 201), {"response_schema_conformance"}),
    "another kind": (lambda _: Response("1", 201, mimetype="text/html"), {"content_type_conformance"}),
    "a reason that no schema can say": (lambda _: refused("there is no rubric 'x'"), set()),
    "a reason that nobody knows": (lambda _: refused("I don't like it."), {"positive_data_acceptance"}),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("answer", "checks"), ANSWERS.values(), ids=ANSWERS)
def test_what_is_answered_is_judged(answer, checks):
    with serving(answer) as url:
        found = exercise(url, "key", 10)
    gc.collect()
    assert {check for _, check, _ in found.failures} >= checks
    assert bool(found.failures) == bool(checks), str(found)
    assert min(found.sent[each] for each in ("POST /things", "GET /state", "GET /others/{name}")) >= 10
    assert not found.errors
