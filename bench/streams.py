"""`python -m bench.streams`: 500 open event streams, and how long after its row each sees its final event.

A stack without workers. Each stream follows a job of its own; then all jobs are ended by one transaction as a worker ends them
(by `--at-once` a transaction), and each stream's time runs from the commit of its job to its last byte.
"""

from __future__ import annotations

import argparse
import selectors
import socket
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.hand_in import sender_of
from bench.own_stack import cpu_seconds, memory, own_stack
from bench.rows import url_of
from bench.tables import RESULTS, median, write
from db import jobs
from db.session import Database
from db.settings import DatabaseSettings
from db.work import Finished
from gradeline.stack.home import Home

SECONDS = 120.0
OVERALL = {"score": 50.0, "min": 0, "max": 100, "interval": [40.0, 60.0]}
SCORES: dict[str, Any] = {
    "scores": [],
    "overall": OVERALL,
    "advisories": [],
    "scored_by": {},
    "degraded": False,
    "review_reasons": [],
}


def opened(home: Home, job: str) -> socket.socket:
    """A stream of a job, whose first event has come."""
    at = urlsplit(home.read()["url"])
    sock = socket.create_connection((at.hostname or "", at.port or 80), timeout=SECONDS)
    key = home.key_file.read_text().strip()
    sock.sendall(f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
    came = b""
    while b"data: " not in came:
        more = sock.recv(65536)
        if not more:
            raise SystemExit(f"no stream: {came[:300]!r}")
        came += more
    return sock


def end(database: Database, ids: list[str], at_once: int) -> dict[str, float]:
    """Ends jobs; when the commit of each was answered."""
    committed: dict[str, float] = {}
    left = [uuid.UUID(each) for each in ids]
    while left:
        now, left = left[:at_once], left[at_once:]
        with database.session() as session:
            held = jobs.claim(session, now, "bench", 60)
        with database.session() as session:
            jobs.finish(session, [Finished(h.id, h.attempt, {}, SCORES, None) for h in held], "m", "r")
        committed |= {str(h.id): time.perf_counter() for h in held}
        # One that is being marked as sent at this moment is claimed a moment later.
        left += [each for each in now if str(each) not in committed]
    return committed


def ends(streams: dict[str, socket.socket], begun: dict[str, float]) -> dict[str, float]:
    """When each stream ended with a final state."""
    ended: dict[str, float] = {}
    tails = dict.fromkeys(streams, b"")
    with selectors.DefaultSelector() as ready:
        for job, sock in streams.items():
            sock.setblocking(False)
            ready.register(sock, selectors.EVENT_READ, job)
        deadline = time.monotonic() + SECONDS
        while len(ended) < len(streams) and time.monotonic() < deadline:
            for key, _ in ready.select(1.0):
                job, piece = key.data, key.fileobj.recv(65536)  # type: ignore[union-attr]
                tails[job] += piece
                if b'"state":"succeeded"' in tails[job]:
                    ended[job] = time.perf_counter()
                if not piece or job in ended:
                    ready.unregister(key.fileobj)
    if len(ended) < len(begun):
        raise SystemExit(f"{len(begun) - len(ended)} streams saw no end")
    return ended


def measured(home: Home, count: int, at_once: int) -> dict[str, Any]:
    sender, database = sender_of(home), Database(DatabaseSettings(database_url=url_of(home)))
    ids = [sender.send("POST", "/v1/jobs", {"text": f"Text {uuid.uuid4().hex}."})["id"] for _ in range(count)]
    streams = {job: opened(home, job) for job in ids}
    try:
        used = cpu_seconds(home, "api")
        committed = end(database, ids, at_once)
        ended = ends(streams, committed)
        used = cpu_seconds(home, "api") - used
    finally:
        for sock in streams.values():
            sock.close()
        database.close()
    late = sorted(ended[job] - committed[job] for job in ids)
    return {
        "streams": count, "at_once": at_once, "median_ms": median(late) * 1000, "p99_ms": late[int(0.99 * count)] * 1000,
        "slowest_ms": late[-1] * 1000, "api_cpu_s": used, "api_rss_mb": memory(home, "api")["largest_rss_mb"],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.streams", description=__doc__)
    parser.add_argument("--streams", type=int, help="[500; quick: 50]")
    parser.add_argument("--at-once", type=int, nargs="+", default=[16, 500], help="jobs that one transaction ends")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    count = given.streams or (50 if given.quick else 500)
    with own_stack(0, GRADELINE_LOG_LEVEL="WARNING") as home:
        rows = [measured(home, count, each) for each in given.at_once]
    write("streams", rows, given.out, {"streams": count})


if __name__ == "__main__":
    main()
