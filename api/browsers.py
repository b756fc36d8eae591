"""What goes with an answer on its way: gzip for long ones, and which web pages may read it."""

from __future__ import annotations

import gzip

from flask import Flask, Response, request

from api.settings import ApiSettings

# A job has 2 kB, and packing it costs more than it saves; a page of a list has 100.
LONG_BYTES = 4096
PACKED = ("application/json", "application/problem+json", "application/x-ndjson", "text/csv", "text/html", "text/plain")
LEVEL = 5
METHODS = "GET, HEAD, POST, PUT, DELETE"
TAKEN = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer, X-Request-ID"
SHOWN = (
    "Deprecation, ETag, Idempotency-Replayed, Link, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, "
    "X-Request-ID"
)
REMEMBER_S = 600


def install(app: Flask, settings: ApiSettings) -> None:
    """Puts the hooks into the app."""
    app.after_request(pack)
    origins = frozenset(settings.origins)
    if origins:
        app.after_request(lambda response: share(response, origins))


def pack(response: Response) -> Response:
    """Gzip, if the caller takes it. Streams go as they are: they must not be held back."""
    if response.is_streamed or response.mimetype not in PACKED or response.headers.get("Content-Encoding"):
        return response
    response.vary.add("Accept-Encoding")
    fits = request.method != "HEAD" and (response.content_length or 0) >= LONG_BYTES
    if fits and request.accept_encodings["gzip"] > 0:
        response.set_data(gzip.compress(response.get_data(), LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        tag, _ = response.get_etag()
        if tag:
            response.set_etag(tag, weak=True)  # the same job, in other bytes
    return response


def share(response: Response, origins: frozenset[str]) -> Response:
    """CORS for the pages that the operator names. Keys come in a header, never in a cookie, so no credentials."""
    response.vary.add("Origin")
    origin = request.headers.get("Origin", "")
    if origin and (origin in origins or "*" in origins):
        response.headers["Access-Control-Allow-Origin"] = "*" if "*" in origins else origin
        response.headers["Access-Control-Expose-Headers"] = SHOWN
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response.headers["Access-Control-Allow-Methods"] = METHODS
            response.headers["Access-Control-Allow-Headers"] = TAKEN
            response.headers["Access-Control-Max-Age"] = str(REMEMBER_S)
    return response
