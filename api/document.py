"""The OpenAPI 3.1 document and its page, from the models that validate. Nothing is loaded from elsewhere."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from flask import Response, redirect
from flask.typing import ResponseReturnValue
from flask_openapi3.openapi import OpenAPI
from flask_openapi3_swagger.plugins import RegisterPlugin

from api import answers, examples, kinds, links
from api.idempotency import HEADER, LONGEST, WRITTEN

TEXT = {"type": "string"}
# Headers that are read by hand: the library would make their schemas anew at each request.
KEYED = {
    "name": HEADER, "schema": {**TEXT, "pattern": WRITTEN},
    "description": f"up to {LONGEST} characters, quoted or bare: the same request with it gets what the first one made",
}  # fmt: skip
PREFER = {
    "name": "Prefer", "schema": TEXT, "example": "wait=20",
    "description": "`wait=N`: the answer may come up to N seconds later, when the job has ended",
}  # fmt: skip
IF_NONE_MATCH = {
    "name": "If-None-Match", "schema": TEXT, "description": "the `ETag` of the job as it was read: 304 when it is still so",
}  # fmt: skip
IF_MATCH = {
    "name": "If-Match", "schema": TEXT, "description": "the `ETag` of the job as it was read: 412 when it has changed since",
}  # fmt: skip
SEEN = {
    "name": "Last-Event-ID", "schema": TEXT,
    "description": "the id of the last event that came: states that were seen are not told again",
}  # fmt: skip
READ: dict[tuple[str, str], tuple[dict[str, Any], ...]] = {
    ("post", "/v1/jobs"): (KEYED, PREFER),
    ("post", "/v1/batches"): (KEYED,),
    ("get", "/v1/jobs/{job_id}"): (PREFER, IF_NONE_MATCH),
    ("put", "/v1/jobs/{job_id}/review"): (IF_MATCH,),
    **{("get", path): (SEEN,) for path in kinds.FOLLOWED},
}
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
    """The document, with what the library can't know: bodies of other kinds, headers, links, examples."""
    made = deepcopy(app.api_doc)
    schemas = made["components"]["schemas"]
    for path, item in made["paths"].items():
        for method, operation in item.items():
            _mend(operation)
            operation["operationId"] = _name(app, path, method)
    for (method, path), headers in READ.items():
        read = [{"in": "header", "required": False, **each} for each in headers]
        made["paths"][path][method].setdefault("parameters", []).extend(read)
    schemas.setdefault("Problem", {})
    kinds.whole(schemas)
    kinds.tell(made)
    for schema in schemas.values():
        _close_names(schema)
    answers.tell(made)
    links.tell(made)
    examples.tell(made)
    made["webhooks"] = {"ended": {"post": WEBHOOK}}
    return made


def _name(app: OpenAPI, path: str, method: str) -> str:
    """An operation is named after its function: what clients that are made from the document call it."""
    rule = path.replace("{", "<").replace("}", ">")
    return next(
        str(each.endpoint).rpartition(".")[2]
        for each in app.url_map.iter_rules()
        if each.rule == rule and method.upper() in (each.methods or ())
    )


def _mend(operation: dict[str, Any]) -> None:
    """Lines of a description are lines; a query string has no null, and that of a list may have empty values."""
    if "description" in operation:
        operation["description"] = operation["description"].replace("<br/>", "\n").strip()
    listing = any(each["name"] == "cursor" for each in operation.get("parameters", []))
    for each in operation.get("parameters", []):
        each["schema"] = kinds.without_null(each["schema"])
        if listing and each["in"] == "query":
            each["allowEmptyValue"] = True  # it says nothing
        if each["name"] == "rubric" and each["in"] == "path":
            each["example"] = examples.NAME


def _close_names(schema: Any) -> None:
    """Names of a certain form are the only ones: pydantic says it in a way that leaves others open."""
    if isinstance(schema, list):
        for each in schema:
            _close_names(each)
    if isinstance(schema, dict):
        named = schema.get("patternProperties")
        if isinstance(named, dict) and len(named) == 1 and "additionalProperties" not in schema:
            ((pattern, schema["additionalProperties"]),) = schema.pop("patternProperties").items()
            schema["propertyNames"] = {**schema.get("propertyNames", {}), "pattern": pattern}
        for each in schema.values():
            _close_names(each)


def _only_from_here(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; img-src 'self' data:"
    )
    return response
