"""Ten thousand texts in one body: the API that takes them and gives their results back does not grow with them."""

from __future__ import annotations

import csv
import io
import json
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

from db.session import Database
from db.tenant import SCOPES, Tenant, create_key
from gradeline.stack.home import free_port

ROWS, MOST_MB = 10_000, 50
WORDS = "phones school because students should lesson break teacher parents distract people think".split()


class Served:
    """A real API process, and what it may be asked."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], key: str) -> None:
        self.process = process
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=240)

    @property
    def pid(self) -> int:
        """Of the process that answers: gunicorn's child."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def now_mb(self) -> float:
        """Forgets the peak so far, and says how much memory is held now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return self._mb("VmRSS")

    def peak_mb(self) -> float:
        return self._mb("VmHWM")

    def _mb(self, what: str) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(what)).split()[1]) * 1024 / 1e6


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


def text(random_: random.Random, characters: int) -> str:
    return " ".join(random_.choices(WORDS, k=characters // 7))


def lines(out: IO[bytes], rows: int) -> None:
    choice = random.Random(1)
    for n in range(rows):
        out.write(json.dumps({"text": text(choice, 6100), "external_id": f"s-{n}"}).encode() + b"\n")


def items(out: IO[bytes], rows: int) -> None:
    choice = random.Random(4)
    out.write(b'{"items": [')
    for n in range(rows):
        item = {"text": text(choice, 6100), "external_id": f"s-{n}"}
        out.write((b", " if n else b"") + json.dumps(item).encode())
    out.write(b'], "prompt": "Shared?"}')


def table(out: IO[bytes], rows: int) -> None:
    choice, written = random.Random(2), io.TextIOWrapper(out, newline="", write_through=True)
    writer = csv.writer(written)
    writer.writerow(["external_id", "text", "group"])
    writer.writerows([f"s-{n}", text(choice, 6100), "A"] for n in range(rows))
    written.detach()


def folder(out: IO[bytes], rows: int) -> None:
    """Files that take as much room packed as unpacked."""
    choice = random.Random(3)
    with zipfile.ZipFile(out, "w") as made:
        for n in range(rows):
            made.writestr(f"s-{n}.txt", text(choice, 6000))


def big_files(out: IO[bytes], rows: int) -> None:
    """Six files, each as long as a file may be."""
    with zipfile.ZipFile(out, "w") as made:
        for n in range(min(6, rows)):
            made.writestr(f"s-{n}.pdf", random.Random(n).randbytes(10 * 2**20 - 64))


KINDS = {
    "JSON": (items, "application/json"), "NDJSON": (lines, "application/x-ndjson"), "CSV": (table, "text/csv"),
    "zip": (folder, None), "zip of big files": (big_files, None),
}  # fmt: skip


def hand_in(served: Served, kind: str, rows: int) -> dict:
    write, mime = KINDS[kind]
    with tempfile.TemporaryFile() as body:
        write(body, rows)
        assert body.tell() < 64 * 2**20
        body.seek(0)
        if mime:
            answer = served.http.post("/v1/batches", content=body, headers={"Content-Type": mime})
        else:
            answer = served.http.post("/v1/batches", files={"file": ("class.zip", body)})
    assert answer.status_code == 202, answer.text
    return answer.json()


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_batch_is_taken_in_bounded_memory_and_its_results_are_given_back_in_it(served, kind):
    for _ in range(3):  # what a process loads once is not growth
        warm = hand_in(served, kind, 20)["id"]
        for form in ("json", "csv", "xlsx"):
            assert served.http.get(f"/v1/batches/{warm}/results?format={form}").is_success
    before = served.now_mb()
    batch = hand_in(served, kind, ROWS)
    grown = served.peak_mb() - before
    assert grown <= MOST_MB and batch["rejected"] == [], f"grown by {grown:.0f} MB from {before:.0f} MB"
    if kind == "CSV":
        assert batch["counts"]["total"] == ROWS
        for form in ("json", "ndjson", "csv", "xlsx"):
            before = served.now_mb()
            with served.http.stream("GET", f"/v1/batches/{batch['id']}/results?format={form}") as answer:
                size = sum(len(piece) for piece in answer.iter_bytes())
            grown = served.peak_mb() - before
            assert grown <= MOST_MB and size > ROWS, f"{form}: grown by {grown:.0f} MB for {size:,} bytes"
    served.http.post(f"/v1/batches/{batch['id']}/cancel")
