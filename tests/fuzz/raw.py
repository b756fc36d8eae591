"""A real server on a real port: requests whose HTTP itself is broken, and some that are whole."""

from __future__ import annotations

import math
import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from gradeline.stack.home import free_port
from tests.fuzz.asked import Answer, Asked
from tests.fuzz.asking import Known
from tests.fuzz.ground import Ground
from tests.fuzz.judge import is_backpressure, judged
from tests.fuzz.raw_http import broken, slow

# A connection on which nothing more comes is left after so many seconds; the server has said all that it will say.
QUIET_S = 0.3
ANSWER_S = 60
READ_S = 2.0
WARM = 200
# Connections that say nothing more hold a thread each until their time is over.
SLOW, THREADS = 60, 16


@contextmanager
def served(database_url: str, redis_url: str) -> Iterator[tuple[int, psutil.Process]]:
    """gunicorn as it is really started; its port, and the process that answers."""
    port = free_port()
    own = {
        "GRADELINE_PORT": str(port), "DATABASE_URL": database_url, "REDIS_URL": redis_url, "GRADELINE_WAIT_MAX_S": "0.05",
        "GRADELINE_RATE_READ": "0", "GRADELINE_RATE_SUBMIT": "0", "GRADELINE_LOG_LEVEL": "ERROR",
        "GRADELINE_READ_S": str(READ_S), "GRADELINE_API_THREADS": str(THREADS),
    }  # fmt: skip
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, "-m", "api"], env={**os.environ, **own}, stdout=quiet, stderr=quiet)
    try:
        deadline = time.monotonic() + 120
        while healthy_s(port) is None:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield port, psutil.Process(process.pid).children()[0]
    finally:
        process.terminate()
        process.wait(60)


def hunt_raw(
    database_url: str, redis_url: str, count: int, first_seed: int, hang_s: float
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Sends `count` pieces of broken HTTP. Figures, and what was wrong."""
    choose, findings, statuses = random.Random(first_seed), dict[str, dict[str, str]](), Counter[int]()
    ground = Ground(database_url, redis_url)
    backpressure, slowest, before = 0, 0.0, 0.0
    try:
        with served(database_url, redis_url) as (port, process):
            for n in range(count):
                if n == min(WARM, count // 2):
                    before = process.memory_info().rss / 1e6
                kind, pieces, pause = broken(choose, ground.known)
                sent = b"".join(pieces)
                answers, seconds = exchange(port, pieces, pause)
                slowest = max(slowest, seconds)
                for answer in answers:
                    statuses[answer.status] += 1
                    this = Asked(kind, "GET", "/llm/rubric-score" if b"/llm/rubric-score" in sent else "/")
                    backpressure += is_backpressure(this, answer)
                    if wrong := judged(this, answer, ground.canary):
                        _keep(findings, kind, wrong.what, wrong.detail, sent)
                if seconds > hang_s + READ_S + sum([pause] * len(pieces)):
                    _keep(findings, kind, "slow", f"{seconds:.1f} s", sent)
            held = slow_ones(port, ground.known)
            grown = process.memory_info().rss / 1e6 - before
            threads = process.num_threads()
    finally:
        ground.close()
    if held > hang_s + READ_S * math.ceil(SLOW / THREADS):
        _keep(findings, "slow connections", "the server stood still", f"{held:.1f} s", b"")
    figures = {
        "connections": count, "statuses": {str(s): c for s, c in sorted(statuses.items())}, "backpressure": backpressure,
        "slowest_s": round(slowest, 2), "grown_mb": round(grown, 1), "threads": threads, "freed_of_slow_ones_s": round(held, 2),
    }  # fmt: skip
    return figures, list(findings.values())


def _keep(findings: dict[str, dict[str, str]], kind: str, what: str, detail: str, sent: bytes) -> None:
    said = {"endpoint": f"raw: {kind}", "what": what, "detail": detail, "curl": repr(sent[:2000])}
    findings.setdefault(f"{kind} {what}", said)


def exchange(port: int, pieces: list[bytes], pause_s: float) -> tuple[list[Answer], float]:
    """Sends pieces with pauses between them; the answers that came until nothing more does, and the seconds to the last."""
    began = last = time.perf_counter()
    came = b""
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S) as sock:
        try:
            for piece in pieces:
                sock.sendall(piece)
                time.sleep(pause_s)
            sock.shutdown(socket.SHUT_WR)
            while more := sock.recv(65536):
                came, last = came + more, time.perf_counter()
                sock.settimeout(ANSWER_S if not _whole(came) else QUIET_S)
        except OSError:
            pass  # it was cut off: that is an answer too
    return list(_answers(came)), last - began


def _whole(came: bytes) -> bool:
    return b"\r\n\r\n" in came


def _answers(came: bytes) -> Iterator[Answer]:
    """Answers of known length, one after another; what follows one of unknown length belongs to it."""
    while came.startswith(b"HTTP/1."):
        head, _, rest = came.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = headers.get("content-length", "")
        size = int(length) if length.isdigit() else len(rest)
        answer = Answer(int(first.split()[1]), headers, rest[:size])
        came = rest[size:]
        if answer.status != 100:
            yield answer


def healthy_s(port: int) -> float | None:
    """Seconds that /healthz takes; None when nobody answers."""
    began = time.perf_counter()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S) as sock:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: fuzz\r\nConnection: close\r\n\r\n")
            return time.perf_counter() - began if sock.recv(100).startswith(b"HTTP/1.1 200") else None
    except OSError:
        return None


def slow_ones(port: int, known: Known) -> float:
    """Seconds that somebody else waits while so many connections have begun a request and say nothing more."""
    held = [socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S) for _ in range(SLOW)]
    try:
        for n, sock in enumerate(held):
            sock.sendall(slow(n, known))
        time.sleep(0.2)
        return healthy_s(port) or ANSWER_S
    finally:
        for sock in held:
            sock.close()
