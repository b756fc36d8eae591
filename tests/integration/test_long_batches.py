"""Ten thousand texts in one body: the API that takes them and gives their results back does not grow with them."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import httpx
import pytest

from bench import bodies
from bench.bodies import Memory
from db.session import Database
from db.tenant import SCOPES, Tenant, create_key
from gradeline.stack.home import free_port

ROWS, MOST_MB = 10_000, 50


class Served:
    """A real API process, and what it may be asked."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], key: str) -> None:
        self.process = process
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=240)

    @property
    def memory(self) -> Memory:
        """Of the process that answers: gunicorn's child."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return Memory(int(children[0]))


@pytest.fixture(scope="module")
def served(servers, database: Database) -> Iterator[Served]:
    with database.session() as session:
        tenant = Tenant(name="long batches")
        session.add(tenant)
        session.flush()
        key = create_key(session, tenant.id, "test", SCOPES)
    port = free_port()
    settings = {
        "DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url, "GRADELINE_PORT": str(port),
        "GRADELINE_LOG_LEVEL": "WARNING",
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "api"], env={**os.environ, **settings})
    made = Served(f"http://127.0.0.1:{port}", process, key)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                made.http.get("/healthz")
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield made
    finally:
        made.http.close()
        process.terminate()
        process.wait(timeout=60)


def big_files(out: IO[bytes], rows: int) -> None:
    """Six files, each as long as a file may be."""
    with zipfile.ZipFile(out, "w") as made:
        for n in range(min(6, rows)):
            made.writestr(f"s-{n}.pdf", random.Random(n).randbytes(10 * 2**20 - 64))


KINDS = {**bodies.KINDS, "zip of big files": (big_files, None)}


def hand_in(served: Served, kind: str, rows: int) -> dict:
    answer, _, size = bodies.post(served.http, KINDS[kind], rows)
    assert size < 64 * 2**20
    assert answer.status_code == 202, answer.text
    return answer.json()


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_batch_is_taken_in_bounded_memory_and_its_results_are_given_back_in_it(served, kind):
    for _ in range(3):  # what a process loads once is not growth
        warm = hand_in(served, kind, 20)["id"]
        for form in ("json", "csv", "xlsx"):
            assert served.http.get(f"/v1/batches/{warm}/results?format={form}").is_success
    before = (memory := served.memory).begin()
    batch = hand_in(served, kind, ROWS)
    grown = memory.peak() - before
    assert grown <= MOST_MB and batch["rejected"] == [], f"grown by {grown:.0f} MB from {before:.0f} MB"
    if kind == "CSV":
        assert batch["counts"]["total"] == ROWS
        for form in ("json", "ndjson", "csv", "xlsx"):
            before = memory.begin()
            with served.http.stream("GET", f"/v1/batches/{batch['id']}/results?format={form}") as answer:
                size = sum(len(piece) for piece in answer.iter_bytes())
            grown = memory.peak() - before
            assert grown <= MOST_MB and size > ROWS, f"{form}: grown by {grown:.0f} MB for {size:,} bytes"
    served.http.post(f"/v1/batches/{batch['id']}/cancel")


def test_a_table_of_graded_essays_as_long_as_a_body_may_be_takes_little_more_memory_than_its_essays(served):
    rubric = {"name": "long", "criteria": [{"name": "Structure", "measures": "Structure", "min": 0, "max": 6}]}
    assert served.http.post("/v1/rubrics", json=rubric).is_success

    def teach(rows: int) -> int:
        with tempfile.TemporaryFile("w+b") as body:
            body.write(b"text,Structure\n")
            for n, text in enumerate(bodies.texts(rows)):
                body.write(f"{text},{n % 7 if n < rows // 2 else ''}\n".encode())  # half of them are the cohort
            size = body.tell()
            body.seek(0)
            headers = {"Content-Type": "text/csv"}
            answer = served.http.post("/v1/rubrics/long/calibrations", content=body, headers=headers)
        assert answer.status_code == 202, answer.text
        return size

    for _ in range(3):
        teach(40)
    before = (memory := served.memory).begin()
    size = teach(ROWS)
    grown = memory.peak() - before
    assert grown <= 3 * size / 1e6, f"grown by {grown:.0f} MB for {size / 1e6:.0f} MB"
