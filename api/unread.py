"""Requests that gunicorn can't read, or refuses to: they reach no route, and are answered with a problem like any other."""

from __future__ import annotations

import json
import socket
from http import HTTPStatus
from typing import Any

from gunicorn.http.errors import (
    ConfigurationProblem,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.util import write_nonblock
from uuid6 import uuid7

from api.problems import TITLES

# Ours: whoever sent the request can't help it.
OURS = (ConfigurationProblem, InvalidResponseHeader, InvalidResponseHeaderName)
SAYS: dict[type[Exception], tuple[int, str, str]] = {
    UnsupportedTransferCoding: (501, "malformed", "The body is packed in a way that this server does not know."),
    LimitRequestLine: (414, "too_large", "The address is too long: send what it says in the body."),
    LimitRequestHeaders: (431, "too_large", "The headers are too long, or too many."),
}
UNREADABLE = (400, "malformed", "This is not a request that HTTP knows.")


def refuse(connection: socket.socket, error: BaseException) -> bool:
    """Answers a request that could not be read; False when it is not the sender's fault."""
    if not isinstance(error, ParseException) or isinstance(error, OURS):
        return False
    status, code, detail = SAYS.get(type(error), UNREADABLE)
    body = json.dumps(problem_of(status, code, detail)).encode()
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
    write_nonblock(connection, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return True


def problem_of(status: int, code: str, detail: str) -> dict[str, Any]:
    """The problem, with an id that no log knows: there is no request."""
    return {
        "type": f"urn:gradeline:problem:{code}", "title": TITLES[code][1], "status": status, "detail": detail, "code": code,
        "errors": [], "request_id": uuid7().hex,
    }  # fmt: skip
