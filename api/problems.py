"""RFC 9457 problems: one table from errors to what a caller reads. No stack trace, no SQL, no path."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, json, request
from gunicorn.http.errors import ParseException
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import HTTPException

from api.errors import ApiError, InvalidRequest
from api.fields import BY_ITSELF, BY_NAME, NO_UNICODE
from db import errors as db
from db.tracebacks import in_words, story

log = logging.getLogger(__name__)

TITLES = {
    "invalid_request": (422, "The request can't be carried out as it stands"),
    "malformed": (400, "The body can't be read"),
    "too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The body's type is not supported"),
    "unauthorized": (401, "A valid key is needed"),
    "forbidden": (403, "The key does not allow this"),
    "not_found": (404, "There is nothing here"),
    "method_not_allowed": (405, "The method is not allowed here"),
    "conflict": (409, "This can't be done as things are now"),
    "precondition_failed": (412, "Somebody else was first"),
    "rate_limited": (429, "You ask for more than you may at once"),
    "overloaded": (503, "More work waits than this server takes"),
    "idempotency_mismatch": (422, "The idempotency key belongs to another request"),
    "idempotency_in_flight": (409, "The first request with this idempotency key has not ended"),
    "unavailable": (503, "Gradeline can't answer now"),
    "internal": (500, "Something went wrong on our side"),
}
CODES: dict[type[Exception], str] = {
    db.JobNotFound: "not_found",
    db.BatchNotFound: "not_found",
    db.CalibrationNotFound: "not_found",
    db.DeliveryNotFound: "not_found",
    db.IllegalMove: "conflict",
    db.LeaseGone: "conflict",
    db.KeyMismatch: "idempotency_mismatch",
    db.KeyInFlight: "idempotency_in_flight",
    db.DatabaseAway: "unavailable",
}
MOST_ERRORS = 50
RETRY_AFTER_S = {"unavailable": 2, "overloaded": 2, "rate_limited": 2, "idempotency_in_flight": 1}


class FieldError(BaseModel):
    """One thing that is wrong, and where."""

    loc: list[str | int]
    msg: str


class PartProblem(BaseModel):
    """Why one part of a request, such as a row, was not taken."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError]


class Problem(PartProblem):
    """An RFC 9457 problem."""

    request_id: str


def problem(
    code: str, detail: str, errors: list[dict[str, Any]] | None = None, status: int | None = None,
    retry_after: int | None = None,
) -> Response:  # fmt: skip
    """The response for a code; `retry_after` in seconds, or what is usual for the code."""
    usual, title = TITLES[code]
    body = {
        "type": f"urn:gradeline:problem:{code}",
        "title": title,
        "status": status or usual,
        "detail": detail,
        "code": code,
        "errors": errors or [],
        "request_id": g.get("request_id", ""),
    }
    response = Response(json.dumps(body), status or usual, mimetype="application/problem+json")
    if code == "unauthorized":
        response.headers["WWW-Authenticate"] = 'Bearer realm="gradeline"'
    if code in RETRY_AFTER_S:
        response.headers["Retry-After"] = str(retry_after or RETRY_AFTER_S[code])
    return response


def install(app: Flask) -> None:
    """Makes every error of the app a problem."""
    app.register_error_handler(ApiError, lambda e: problem(e.code, str(e), e.errors, None, e.retry_after))
    app.register_error_handler(db.RubricNotFound, _unknown_rubric)
    app.register_error_handler(db.BadCursor, _bad_cursor)
    for kind, code in CODES.items():
        app.register_error_handler(kind, lambda e, code=code: problem(code, _sentence(e)))
    # Python's decoder of JSON has no other limit.
    app.register_error_handler(RecursionError, lambda _: problem("malformed", "The body is nested too deeply."))
    app.register_error_handler(ParseException, lambda _: problem("malformed", "The body is not HTTP that can be read."))
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def field_errors(error: ValidationError) -> list[dict[str, Any]]:
    """Pydantic's findings, the first of them, without the input: it may be a student's text."""
    found = error.errors(include_input=False, include_url=False)[:MOST_ERRORS]
    return [{"loc": [p for p in each["loc"] if p not in (BY_NAME, BY_ITSELF)], "msg": _plain(each)} for each in found]


def _plain(found: ErrorDetails) -> str:
    """What is wrong, as a sentence; in pydantic's words where they are plain."""
    if found["type"] == "value_error":
        return _sentence(found["ctx"]["error"])
    if found["type"] == "string_unicode":
        return _sentence(NO_UNICODE)
    if found["type"] == "string_too_short" and found["ctx"]["min_length"] == 1:
        return f"The {'text' if found['loc'][-1:] == ('text',) else 'value'} is empty."
    return found["msg"]


def invalid(error: ValidationError) -> InvalidRequest:
    """The problem of a body that a model refuses."""
    found = field_errors(error)
    where = ".".join(str(part) for part in found[0]["loc"])
    return InvalidRequest(f"{where}: {found[0]['msg']}" if where else found[0]["msg"], found)


def part_problem(title: str, errors: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The problem of one part of a request, such as a row, when the other parts are taken."""
    return {
        "type": "urn:gradeline:problem:invalid_request",
        "title": title,
        "status": 422,
        "code": "invalid_request",
        "detail": "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}".lstrip(": ") for e in errors[:5]),
        "errors": list(errors),
    }


def _unknown_rubric(error: Exception) -> Response:
    if request.url_rule and "<rubric>" in request.url_rule.rule:  # the address names it
        return problem("not_found", _sentence(error))
    wrong = InvalidRequest(str(error), [{"loc": ["rubric"], "msg": str(error)}])
    return problem(wrong.code, _sentence(error), wrong.errors)


def _bad_cursor(error: Exception) -> Response:
    return problem("invalid_request", str(error), [{"loc": ["cursor"], "msg": str(error)}])


def _sentence(error: Exception | str) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    code = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}.get(status)
    if code is None:
        code = "malformed" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "internal"
    details = {
        "not_found": "No route of this API has this address; GET /docs lists them all.",
        "too_large": "The body is longer than this server accepts.",
    }
    response = problem(code, details.get(code) or error.description or HTTPStatus(status).phrase, status=status)
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def _unexpected(error: Exception) -> Response:
    # Not the exception itself: its message may quote what was sent.
    log.error("the request failed: %s", in_words(error), extra={"exception": story(error)})
    return problem("internal", "The request failed, and the failure was logged under this request's id.")
