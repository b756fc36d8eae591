"""Broken and slow HTTP on the real port: an answer that programs can read, and no thread that is held for ever."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack

import httpx
import pytest

WAIT_S = 120


def said(served, *pieces: bytes) -> tuple[int, dict[str, str], dict]:
    """Status, headers and JSON of the answer to bytes."""
    with socket.create_connection(("127.0.0.1", httpx.URL(served.url).port), timeout=WAIT_S) as sock:
        for piece in pieces:
            sock.sendall(piece)
        sock.shutdown(socket.SHUT_WR)
        with sock.makefile("rb") as read:
            head, _, body = read.read().partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, json.loads(body)


NO_HTTP = [
    (b"GET  / HTTP/1.1\r\n\r\n", 400, "malformed"),
    (b"GET / HTTP/9.9\r\n\r\n", 400, "malformed"),
    (b"GET / HTTP/1.1\r\nA : secret\r\n\r\n", 400, "malformed"),
    (b"POST / HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n", 400, "malformed"),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: secret, chunked\r\n\r\n", 400, "malformed"),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414, "too_large"),
    (b"GET / HTTP/1.1\r\nA: " + b"a" * 9000 + b"\r\n\r\n", 431, "too_large"),
]


def test_what_is_no_http_is_answered_with_a_problem_that_quotes_nothing(serve):
    served = serve()
    for sent, status, code in NO_HTTP:
        got, headers, body = said(served, sent)
        assert (got, body["status"], body["code"]) == (status, status, code), sent
        assert headers["content-type"] == "application/problem+json" and headers["connection"] == "close"
        assert body["request_id"] and "secret" not in json.dumps(body) and "aaaa" not in json.dumps(body)


def test_a_chunk_that_can_not_be_read_is_the_callers_mistake(serve, make_key):
    served, key = serve(), make_key()
    for path in ("/v1/jobs", "/v1/batches", "/v1/rubrics/import", "/llm/rubric-score"):
        for kind in ("application/json", "text/csv", "multipart/form-data; boundary=b"):
            head = f"POST {path} HTTP/1.1\r\nAuthorization: Bearer {key}\r\nContent-Type: {kind}\r\n".encode()
            status, _, body = said(served, head, b'Transfer-Encoding: chunked\r\n\r\n2\r\n{"\r\nzz\r\n')
            assert status in (400, 415), (path, kind, body)


@pytest.mark.parametrize(
    "begun",
    [b"POST /v1", b"POST /v1/jobs HTTP/1.1\r\n", b"POST /healthz HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"],
    ids=["in its first line", "in its headers", "in its body"],
)
def test_a_request_that_does_not_go_on_is_left_and_others_are_answered(serve, begun):
    served = serve(read_s=0.5, api_threads=2)
    with ExitStack() as held:
        port = httpx.URL(served.url).port
        slow = [held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)) for _ in range(4)]
        for sock in slow:
            sock.sendall(begun)
        assert httpx.get(f"{served.url}/healthz", timeout=WAIT_S).status_code == 200
        for sock in slow:
            try:
                while sock.recv(65536):
                    pass
            except ConnectionError:
                pass  # left, one way or the other


def test_a_long_body_that_comes_steadily_has_the_time_that_it_takes(serve, make_key):
    served, body = serve(read_s=3), json.dumps({"items": [{"text": "a " * 90_000}] * 4}).encode()
    head = f"POST /v1/batches HTTP/1.1\r\nAuthorization: Bearer {make_key()}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", httpx.URL(served.url).port), timeout=WAIT_S) as sock:
        sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:600_000])
        time.sleep(3.5)
        sock.sendall(body[600_000:])
        assert sock.recv(100).startswith(b"HTTP/1.1 202")
