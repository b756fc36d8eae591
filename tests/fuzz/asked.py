"""One request as bytes, sent to the app without a server between, and the answer to it."""

from __future__ import annotations

import io
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import Flask


@dataclass(frozen=True)
class Asked:
    """A request: path and query as they are on the wire, headers in Latin-1. `endpoint` is the route that it is made for."""

    endpoint: str
    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    def header(self, name: str) -> str:
        return next((value for each, value in self.headers if each.lower() == name.lower()), "")

    def as_bytes(self) -> bytes:
        """The request as HTTP/1.1; the length of a body is always said."""
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: fuzz", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "\r\n"]).encode("latin-1") + self.body

    def as_curl(self) -> str:
        """A shell command that sends the same; $URL is the server, and the body comes from `printf`."""
        said = " ".join(
            f"-H {shlex.quote(f'{name}: {value}' if value else f'{name};')}" for name, value in self.headers
        )
        octal = "".join(chr(b) if 32 <= b < 127 and b not in b"\\%'" else f"\\{b:03o}" for b in self.body)
        send = f"printf '{octal}' | " if self.body else ""
        data = " --data-binary @-" if self.body else ""
        return f'{send}curl -sS --path-as-is -X {self.method} "$URL"{shlex.quote(self.target)} {said}{data}'


@dataclass
class Answer:
    """What came back, and the seconds that it took; status 0 when the app raised instead."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    raised: str = ""

    @property
    def kind(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip()


def ask(app: Flask, asked: Asked) -> Answer:
    """Calls the app as a WSGI server does."""
    answer, began = Answer(), time.perf_counter()

    def start(status: str, headers: Sequence[tuple[str, str]], _: Any = None) -> Any:
        answer.status = int(status.split()[0])
        answer.headers = {name.lower(): value for name, value in headers}

    try:
        pieces = app.wsgi_app(environment(asked), start)
        try:
            answer.body = b"".join(pieces)
        finally:
            close = getattr(pieces, "close", None)
            if close:
                close()
    except Exception as error:  # noqa: BLE001 - it is what we look for
        answer.status, answer.raised = 0, type(error).__name__
    answer.seconds = time.perf_counter() - began
    return answer


def environment(asked: Asked) -> dict[str, Any]:
    """The WSGI environment of a request, as gunicorn makes it."""
    made: dict[str, Any] = {
        "REQUEST_METHOD": asked.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(asked.path).decode("latin-1"),
        "QUERY_STRING": asked.query,
        "RAW_URI": asked.target,
        "SERVER_NAME": "fuzz",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(asked.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(asked.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "HTTP_HOST": "fuzz",
    }
    for name, value in asked.headers:
        key = name.upper().replace("-", "_")
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        made[key] = f"{made[key]},{value}" if key in made and key != "CONTENT_TYPE" else value
    return made
