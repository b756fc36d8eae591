"""HTTP that is broken on the wire."""

from __future__ import annotations

import random

from tests.fuzz.asking import Known

JSON = b'{"text": "A text of some words."}'


def slow(n: int, known: Known) -> bytes:
    """The beginning of a request that never goes on: in its first line, its headers, its body, a chunk."""
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: fuzz\r\nAuthorization: Bearer {known.keys[0]}\r\n".encode()
    json = b"Content-Type: application/json\r\n"
    chunked = head + json + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{"
    return [b"POST /v1", head, head + json + b"Content-Length: 1000\r\n\r\n{", chunked][n % 4]


def broken(choose: random.Random, known: Known) -> tuple[str, list[bytes], float]:
    """A kind of brokenness, the pieces to send, and the seconds between them."""
    kind = choose.choice(sorted(KINDS))
    pieces = KINDS[kind](choose, _head(choose, known))
    pause = choose.choice([0.0, 0.0, 0.0, 0.02]) if len(pieces) < 20 else 0.0
    return kind, pieces, pause


def _head(choose: random.Random, known: Known) -> bytes:
    job, batch = known.own["job_id"][0], known.own["batch_id"][0]
    line = choose.choice(
        ["POST /v1/jobs", "POST /v1/batches", "PUT /v1/webhooks/endpoint", f"GET /v1/jobs/{job}", f"PUT /v1/jobs/{job}/review",
         f"GET /v1/batches/{batch}/results?format=csv", f"GET /v1/jobs/{job}/events", "POST /v1/rubrics/import", "GET /healthz",
         "POST /llm/rubric-score", "GET /docs", f"GET /v1/batches/{batch}/events", "OPTIONS /v1/jobs"]
    )  # fmt: skip
    kind = choose.choice(["application/json", "application/x-ndjson", "text/csv", "multipart/form-data; boundary=b"])
    said = f"{line} HTTP/1.1\r\nHost: fuzz\r\nAuthorization: Bearer {known.keys[0]}\r\nContent-Type: {kind}\r\n"
    return said.encode()


def _split(choose: random.Random, whole: bytes) -> list[bytes]:
    cuts = sorted(choose.randrange(len(whole)) for _ in range(choose.randrange(1, 8)))
    return [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


def _length(n: object) -> bytes:
    return b"Content-Length: %s\r\n" % str(n).encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


CHUNKED = b"Transfer-Encoding: chunked\r\n"
LENGTHS = [-1, "+1", "1 1", "0x10", "1e3", "", " ", "9" * 30, 10**9, 5, 0, "\u0661", "1, 1", "1,2"]
CODINGS = [
    "gzip",
    "chunked, gzip",
    "gzip, chunked",
    "identity",
    "",
    "chunked, chunked",
    "xchunked",
    "Chunked ",
    "\x0bchunked",
]
CHUNKS = [b"zz\r\n", b"-1\r\n", b"ffffffffffffffffff\r\n", b"5;a=b\r\nabcde\r\n0\r\n\r\n", b"5\r\nabc\r\n0\r\n\r\n", b"0\r\n",
          b"\r\n",
          b"5\nabcde\n0\n\n", b"0\r\nX: y\r\n\r\n", b"0\r\nX\r\n\r\n", b"1\r\n{\r\n", b"5" * 9000,
          b" 5\r\nabcde\r\n"]  # fmt: skip
LINES = [b"", b"\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/0.9\r\n\r\n", b"\0\0\0\0",
         b"\x16\x03\x01\x02\x00\x01", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n",
         b"GET /\xff HTTP/1.1\r\n\r\n",
         b"G\xe4T / HTTP/1.1\r\n\r\n", b"GET http://a:b@[::1/ HTTP/1.1\r\n\r\n", b"GET * HTTP/1.1\r\n\r\n",
         b"CONNECT a:1 HTTP/1.1\r\n\r\n",
         b"GET /%zz HTTP/1.1\r\n\r\n", b"GET //\\ HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\nHost: a\n\n", b"get / http/1.1\r\n\r\n",
         b"GET /?a=b c HTTP/1.1\r\n\r\n", b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\nGET / HTTP/1.1\r\n\r\n"]  # fmt: skip
HEADERS = [b"A\r\n", b": a\r\n", b"A : b\r\n", b" A: b\r\n", b"A: b\r\n c\r\n", b"A: \0\r\n", b"A\0: b\r\n", b"\xff: b\r\n",
           b"A: b\rC: d\r\n",
           b"A: b\nC: d\r\n", b"Host: a\r\nHost: b\r\n", b"Content_Length: 5\r\n", b"Expect: 200-ok\r\n",
           b"Expect: 100-continue\r\n",
           b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAoAAA\r\n", b"Connection: \r\n",
           b"Connection: close, keep-alive\r\n", b"A: " + b"a" * 9000 + b"\r\n", b"A: b\r\n" * 120,
           b"Accept: \xff\r\n"]  # fmt: skip
KINDS = {
    "first line": lambda c, _h: [c.choice(LINES)],
    "long line": lambda c, _h: [b"GET /" + b"a" * c.choice([4000, 9000, 10**6]) + b" HTTP/1.1\r\nHost: a\r\n\r\n"],
    "header": lambda c, h: [h + c.choice(HEADERS) + _length(len(JSON)) + b"\r\n" + JSON],
    "split": lambda c, h: _split(c, h + _length(len(JSON)) + b"\r\n" + JSON),
    "bytes": lambda _c, h: [bytes(b) for b in ([x] for x in (h + _length(len(JSON)) + b"\r\n" + JSON))],
    "length": lambda c, h: [h + _length(c.choice(LENGTHS)) + b"\r\n" + JSON],
    "short": lambda c, h: [h + _length(len(JSON) + c.randrange(1, 1000)) + b"\r\n" + JSON],
    "long": lambda c, h: [h + _length(c.randrange(len(JSON))) + b"\r\n" + JSON],
    "two lengths": lambda _c, h: [h + _length(3) + _length(len(JSON)) + b"\r\n" + JSON],
    "length and chunks": lambda _c, h: [h + _length(5) + CHUNKED + b"\r\n" + _chunk(JSON) + b"0\r\n\r\n"],
    "chunks": lambda c, h: _split(c, h + CHUNKED + b"\r\n" + _chunk(JSON[:9]) + _chunk(JSON[9:]) + b"0\r\n\r\n"),
    "broken chunks": lambda c, h: [h + CHUNKED + b"\r\n" + _chunk(JSON[:9]) + c.choice(CHUNKS)],
    "coding": lambda c,
    h: [h + b"Transfer-Encoding: %s\r\n" % c.choice(CODINGS).encode() + b"\r\n" + _chunk(JSON) + b"0\r\n\r\n"],
    "two at once": lambda c, h: [(h + _length(len(JSON)) + b"\r\n" + JSON) * c.randrange(2, 6)],
    "unasked": lambda _c, h: [h + b"\r\n", JSON, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"],
    "noise": lambda c, _h: [c.randbytes(c.randrange(1, 300))],
    "mangled": lambda c, h: [_mangle(c, h + _length(len(JSON)) + b"\r\n" + JSON)],
    "cut off": lambda c, h: [(h + _length(len(JSON)) + b"\r\n" + JSON)[: c.randrange(1, len(h) + 30)]],
}  # fmt: skip


def _mangle(choose: random.Random, whole: bytes) -> bytes:
    made = bytearray(whole)
    for _ in range(choose.randrange(1, 4)):
        made[choose.randrange(len(made))] = choose.choice([0, 10, 13, 32, 58, 127, 255, choose.randrange(256)])
    return bytes(made)
