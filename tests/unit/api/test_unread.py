"""Requests that gunicorn refuses before any route sees them are answered with problems too."""

from __future__ import annotations

import json
import socket

import httpx
import pytest


@pytest.fixture
def ask(serve):
    """Sends bytes as they are; gives back the status, the headers and the body of the answer."""
    port = httpx.URL(serve().url).port

    def ask(request: bytes) -> tuple[int, dict[str, str], dict]:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(request)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines), json.loads(body)

    return ask


REFUSED = {
    "an address that is too long": (b"GET /v1/jobs?a=%s HTTP/1.1\r\n\r\n" % (b"a" * 9000), 414, "too_large"),
    "a header that is too long": (b"GET /healthz HTTP/1.1\r\nA: %s\r\n\r\n" % (b"a" * 9000), 431, "too_large"),
    "a line that is no request": (b"What is this?\r\n\r\n", 400, "malformed"),
    "a header without a colon": (b"GET /healthz HTTP/1.1\r\nno colon\r\n\r\n", 400, "malformed"),
    "a coding that nobody knows": (b"POST /v1/jobs HTTP/1.1\r\nTransfer-Encoding: odd\r\n\r\n", 501, "malformed"),
}


def test_what_can_not_be_read_is_refused_with_a_problem(ask):
    for what, (request, status, code) in REFUSED.items():
        found, headers, problem = ask(request)
        assert (found, headers["content-type"]) == (status, "application/problem+json"), what
        assert (problem["status"], problem["code"], problem["type"]) == (status, code, f"urn:gradeline:problem:{code}")
        assert problem["request_id"] and "a" * 100 not in str(problem)


def test_the_settings_of_a_batch_may_be_long(serve, make_key):
    answer = httpx.post(
        f"{serve().url}/v1/batches", params={"prompt": "a" * 4000}, content=b'{"text": "A text."}\n', timeout=60,
        headers={"Authorization": f"Bearer {make_key()}", "Content-Type": "application/x-ndjson"},
    )  # fmt: skip
    assert answer.status_code == 202, answer.text
