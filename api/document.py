"""The OpenAPI 3.1 document and its page, from the models that validate. Nothing is loaded from elsewhere."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from flask import Response, redirect
from flask.typing import ResponseReturnValue
from flask_openapi3.openapi import OpenAPI
from flask_openapi3_swagger.plugins import RegisterPlugin

from api import kinds
from api.idempotency import HEADER, LONGEST, REPLAYED
from api.legacy import BODIES
from api.problems import Problem

# Routes that make something once for each key.
ONCE = ("/v1/jobs", "/v1/batches")
# Routes that change only what the caller has read.
GUARDED = ("/v1/jobs/{job_id}/review",)
IF_MATCH = {
    "name": "If-Match", "in": "header", "required": False, "schema": {"type": "string"},
    "description": "the `ETag` of the job as it was read: 412 when it has changed since",
}  # fmt: skip
FOLLOWED = ("/v1/jobs/{job_id}/events", "/v1/batches/{batch_id}/events")
TEXT = {"type": "string"}
# What a `callback_url` gets.
WEBHOOK: dict[str, Any] = {
    "tags": ["Webhooks"],
    "summary": "A job or a batch has ended",
    "description": "Signed as Standard Webhooks say. `data` has ids and the state, or all when the endpoint is set to `full`.",
    "parameters": [
        {"name": name, "in": "header", "required": True, "schema": TEXT}
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    ],
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["type", "timestamp", "data"],
                    "properties": {
                        "type": {
                            "enum": [
                                *("job.succeeded", "job.failed", "job.cancelled"),
                                *("batch.finished", "batch.cancelled"),
                            ]
                        },
                        "timestamp": {"type": "string", "format": "date-time"},
                        "data": {
                            "type": "object",
                            "required": ["id", "state"],
                            "properties": {"id": TEXT, "state": TEXT},
                        },
                    },
                }
            }
        }
    },
    "responses": {"2XX": {"description": "taken"}, "410": {"description": "nothing more to this address"}},
}


def install(app: OpenAPI) -> None:
    """Serves `/openapi.json` and `/docs`."""
    made: dict[str, Any] = {}

    @app.route("/openapi.json")
    def openapi_document() -> dict[str, Any]:
        if not made:
            made.update(document(app))
        return made

    @app.route("/docs")
    def docs() -> ResponseReturnValue:
        return redirect("/docs/swagger")

    page = RegisterPlugin.register(doc_url="/openapi.json")
    page.after_request(_only_from_here)
    app.register_blueprint(page, url_prefix="/docs")


def document(app: OpenAPI) -> dict[str, Any]:
    """The document, with what the library can't know: errors are problems, and only bodies of JSON can be invalid."""
    made = deepcopy(app.api_doc)
    for path in made["paths"].values():
        for operation in path.values():
            _mend(operation["responses"])
    for path in ONCE:
        _once(made["paths"][path]["post"])
    kinds.tell(made)
    for path in GUARDED:
        made["paths"][path]["put"].setdefault("parameters", []).append(IF_MATCH)
    for path, model in BODIES.items():
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        made["paths"][path]["post"]["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    for path in FOLLOWED:
        says = "the id of the last event that came: states that were seen are not told again"
        header = {"name": "Last-Event-ID", "in": "header", "required": False, "schema": {"type": "string"}}
        made["paths"][path]["get"].setdefault("parameters", []).append({**header, "description": says})
    made["webhooks"] = {"ended": {"post": WEBHOOK}}
    made["components"]["schemas"].setdefault(
        "Problem", Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    )
    return made


def _mend(responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        content = response.get("content", {})
        if status[0] in "45" and "application/json" in content and not _is_ready(content):
            response["content"] = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def _once(operation: dict[str, Any]) -> None:
    """Headers that are read by hand: the library would make their schema anew at each request."""
    kind = {"type": "string"}
    says = (
        f"up to {LONGEST} characters, quoted or bare: the same request with it is answered with what the first one made"
    )
    header = {"name": HEADER, "in": "header", "required": False, "schema": kind, "description": says}
    operation.setdefault("parameters", []).append(header)
    for status in ("200", "202"):
        if status in operation["responses"]:
            replayed = {"description": "true: the answer of an earlier request", "schema": {"type": "string"}}
            operation["responses"][status].setdefault("headers", {})[REPLAYED] = replayed


def _is_ready(content: dict[str, Any]) -> bool:
    """Whether the route has a form of its own for what went wrong."""
    return str(content["application/json"]["schema"].get("$ref", "")).endswith(("/Ready", "/OldHealth", "/OldError"))


def _only_from_here(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; img-src 'self' data:"
    )
    return response
