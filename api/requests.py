"""What every request goes through: an id, a look at its body, headers of its answer, one log line."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Collection, Mapping

from flask import Blueprint, Flask, Response, current_app, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars
from uuid6 import uuid7
from werkzeug.exceptions import BadRequest

from api.auth import allow
from api.errors import InvalidRequest, Malformed, UnsupportedMediaType
from api.limits import tell
from api.routing import FORM
from broker.traces import NO_SPAN, Traces, trace_id
from db.work import Origin

log = logging.getLogger("api.access")

ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
# Asked every few seconds by whoever looks after the processes: their lines and spans would bury all others.
PROBES = ("/healthz", "/readyz", "/metrics", "/health")


def install(app: Flask) -> None:
    """Puts the hooks into the app."""
    app.before_request(begin)
    app.after_request(finish)
    app.teardown_request(lambda _: clear_contextvars())  # what its thread does next is not of this request


def begin() -> None:
    """Takes the caller's request id if it is a harmless one, and its span; all lines of the request have them."""
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if ID.fullmatch(given) else uuid7().hex
    g.began, g.span, g.route = time.perf_counter(), NO_SPAN, request.url_rule.rule if request.url_rule else "-"
    bind_contextvars(request_id=g.request_id)
    traces: Traces = current_app.extensions["gradeline"].traces
    if traces.on and g.route not in PROBES:
        g.span = traces.begin(
            f"{request.method} {g.route}", "server", request.headers.get("traceparent"),
            http__request__method=request.method, http__route=g.route, gradeline__request_id=g.request_id,
        )  # fmt: skip
        bind_contextvars(trace_id=trace_id(g.span.traceparent))
    for name in ("job", "batch"):
        if asked := _asked_for(name):
            bind_contextvars(**{name: asked})


def _asked_for(name: str) -> uuid.UUID | None:
    """The id in the address, if it is one."""
    try:
        return uuid.UUID((request.view_args or {})[f"{name}_id"])
    except (KeyError, ValueError):
        return None


def origin() -> Origin:
    """What the jobs of this request keep of it."""
    return Origin(g.request_id, g.span.traceparent)


def look_at_bodies(routes: Blueprint, scopes: Mapping[str, str], forms: Collection[str] = ()) -> None:
    """Puts a look at the body before pydantic's: may it come, is it JSON, and an object?

    `scopes` says which scope each view that takes JSON asks for: who has no key learns nothing of what is valid. A form
    sent to one of `forms` is read elsewhere.
    """

    def look() -> None:
        view = (request.endpoint or "").removeprefix(f"{routes.name}.")
        # A browser asks by OPTIONS whether it may send, at the same endpoint and without a key or a body.
        if request.method in ("POST", "PUT") and view in scopes:
            allow(scopes[view])
            if not (view in forms and request.mimetype == FORM):
                json_object()

    routes.before_request(look)


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
    spent = round((time.perf_counter() - g.began) * 1000, 1)
    status = response.status_code
    g.span.end(failed=str(status) if status >= 500 else "", http__response__status_code=status)
    fields = {"method": request.method, "route": g.route, "status": status, "ms": spent}
    log.log(
        logging.DEBUG if g.route in PROBES else logging.INFO, "%s %s %d", request.method, g.route, status, extra=fields
    )
    return response
