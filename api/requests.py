"""What every request goes through: an id, a look at its body, headers of its answer, one log line."""

from __future__ import annotations

import logging
import re
import time

from flask import Flask, Response, g, request
from uuid6 import uuid7
from werkzeug.exceptions import BadRequest

from api.errors import InvalidRequest, Malformed, UnsupportedMediaType
from api.limits import tell

log = logging.getLogger("api.access")

ID = re.compile(r"[A-Za-z0-9._-]{1,100}")


def install(app: Flask) -> None:
    """Puts the hooks into the app."""
    app.before_request(begin)
    app.after_request(finish)


def begin() -> None:
    """Takes the caller's request id if it is a harmless one."""
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if ID.fullmatch(given) else uuid7().hex
    g.began = time.perf_counter()


def json_object() -> None:
    """Checks that the body is a JSON object. UnsupportedMediaType, Malformed or InvalidRequest otherwise."""
    if not request.is_json:
        raise UnsupportedMediaType("Send the body as application/json.")
    try:
        body = request.get_json()  # kept with the request: it is parsed once
    except (BadRequest, RecursionError) as error:
        raise Malformed("The body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise not_an_object()


def not_an_object() -> InvalidRequest:
    return InvalidRequest("The body must be a JSON object.", [{"loc": [], "msg": "not an object"}])


def finish(response: Response) -> Response:
    """Headers that every answer has, and its line in the log: no query string, no body."""
    response.headers["X-Request-ID"] = g.request_id
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    tell(response)
    if request.path.startswith("/v1/"):
        response.headers.setdefault("Cache-Control", "no-store")
    route = request.url_rule.rule if request.url_rule else "-"
    spent = (time.perf_counter() - g.began) * 1000
    log.info("%s %s %s %.1f ms %s", request.method, route, response.status_code, spent, g.request_id)
    return response
