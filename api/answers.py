"""What the OpenAPI document says of answers: which of them can come, and with which headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.legacy import BODIES
from api.problems import TITLES

TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 0}
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {"description": "yours, or one that was made: say it when you ask for help", "schema": TEXT},
    "RateLimit-Policy": {"description": "how many requests of which kind a window takes", "schema": TEXT},
    "RateLimit": {"description": "how many of them are left, and the seconds until the next window", "schema": TEXT},
    "Retry-After": {"description": "seconds after which to ask again", "schema": COUNT},
    "WWW-Authenticate": {"description": "how to send the key", "schema": TEXT},
    "Location": {"description": "where to read what was made", "schema": {**TEXT, "pattern": "^/v1/"}},
    "ETag": {"description": "the state that was read, for `If-None-Match` and `If-Match`", "schema": TEXT},
    "Preference-Applied": {
        "description": "`wait=N`: for how many seconds it would have waited at most",
        "schema": {"type": "string"},
    },
    "Idempotency-Replayed": {"description": "it is the answer of an earlier request", "schema": {"enum": ["true"]}},
    "Content-Disposition": {"description": "the file's name", "schema": TEXT},
    "Deprecation": {"description": "since when the route is deprecated", "schema": TEXT},
    "Link": {"description": "what takes its place", "schema": TEXT},
}
# Which answers have more headers than all have; a mark says that it may be left out.
MORE: dict[tuple[str, str, str], str] = {
    ("post", "/v1/jobs", "200"): "Location ETag Preference-Applied Idempotency-Replayed?",
    ("post", "/v1/jobs", "202"): "Location ETag Retry-After? Preference-Applied? Idempotency-Replayed?",
    ("get", "/v1/jobs/{job_id}", "200"): "ETag Retry-After? Preference-Applied?",
    ("get", "/v1/jobs/{job_id}", "304"): "ETag",
    ("put", "/v1/jobs/{job_id}/review", "200"): "ETag",
    ("post", "/v1/jobs/{job_id}/appeal", "200"): "ETag",
    ("post", "/v1/batches", "202"): "Location Retry-After Idempotency-Replayed?",
    ("get", "/v1/batches/{batch_id}/results", "200"): "Content-Disposition?",
    ("post", "/v1/rubrics", "201"): "Location",
    ("get", "/v1/rubrics/{rubric}/export", "200"): "Content-Disposition",
    ("post", "/v1/rubrics/{rubric}/calibrations", "202"): "Location Retry-After",
    ("post", "/v1/rubrics/{rubric}/regrade", "202"): "Location",
    ("get", "/readyz", "503"): "Retry-After",
    ("post", "/llm/rubric-score", "200"): "Location",
    ("post", "/llm/rubric-score", "503"): "Retry-After",
}
COUNTED = ("X-Request-ID", "RateLimit-Policy?", "RateLimit?")  # of what is counted; the first, of everything
OLD = ("/llm/rubric-score", "/health", "/rubric-info")
ALWAYS = {"401": "WWW-Authenticate", "409": "Retry-After?", "429": "Retry-After", "503": "Retry-After"}
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def tell(document: dict[str, Any]) -> None:
    """Puts right which answers an operation has, makes one of each kind of problem, and adds the headers."""
    components = document["components"]
    components["headers"] = _named(COUNTED)
    components["responses"] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            responses = operation["responses"]
            if path in OLD:
                operation["deprecated"] = True
            _only_what_can_be(path, operation, responses)
            for status, response in responses.items():
                if status[0] in "45" and _is_problem(response):
                    components["responses"].setdefault(status, _problem(status, path))
                    responses[status] = {"$ref": f"#/components/responses/{status}"}
                else:
                    response["headers"] = _headers(path, MORE.get((method, path, status), ""))


def _only_what_can_be(path: str, operation: dict[str, Any], responses: dict[str, Any]) -> None:
    """The library gives every route the answer to a body that is not valid; and ours are said of many at once."""
    parameters = operation.get("parameters", [])
    within = {each["name"] for each in parameters if each["in"] == "path"}
    if not within:
        responses.pop("404", None)
    said = "requestBody" in operation or any(each["in"] == "query" for each in parameters) or "rubric" in within
    if not said or path in BODIES:
        responses.pop("422", None)
    if path == "/v1/batches" and "requestBody" in operation:
        responses["414"] = {"content": PROBLEM, "description": ""}
    if "requestBody" in operation and path not in BODIES:
        for status in ("400", "413", "415"):
            responses.setdefault(status, {"content": PROBLEM, "description": ""})


def _is_problem(response: dict[str, Any]) -> bool:
    """Whether the route has no form of its own for what went wrong."""
    content = response.get("content", {})
    schema = next(iter(content.values()))["schema"] if content else {}
    return not str(schema.get("$ref", "")).endswith(("/Ready", "/OldHealth", "/OldError"))


def _problem(status: str, path: str) -> dict[str, Any]:
    if status == "414":  # the server below says it, and nothing of limits
        return {"description": "`too_large`: the address is longer than 8,190 bytes", "content": PROBLEM}
    codes = {code: title for code, (number, title) in TITLES.items() if str(number) == status}
    says = "; ".join(f"`{code}`: {title}" for code, title in codes.items())
    return {"description": says, "content": PROBLEM, "headers": _headers(path, ALWAYS.get(status, ""))}


def _headers(path: str, more: str) -> dict[str, Any]:
    usual = COUNTED if path.startswith("/v1/") else COUNTED[:1]
    old = "Deprecation Link" if path in OLD else ""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in _named(usual)} | _named(f"{more} {old}".split())


def _named(marked: Sequence[str]) -> dict[str, Any]:
    """Headers by their names, of which some are marked as such that may be left out."""
    return {name.rstrip("?"): {**HEADERS[name.rstrip("?")], "required": not name.endswith("?")} for name in marked}
