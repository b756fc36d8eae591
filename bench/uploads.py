"""`python -m bench.uploads`: ten thousand texts in one body, as each kind: seconds until 202, and what the API grows by.

Then the results of the CSV's batch as CSV, and how often its counts were seen to move while a worker with the engine `fake`
graded it. Growth is the peak over what the process held before, in MB (Linux: /proc).
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import random
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import httpx

from bench.own_stack import family, own_stack
from bench.tables import RESULTS, write
from gradeline.stack.home import Home

WORDS = "phones school because students should lesson break teacher parents distract people think".split()
CHARACTERS = 6000
SECONDS = 1800.0


def texts(count: int) -> Iterator[str]:
    choose = random.Random(1)
    for _ in range(count):
        yield " ".join(choose.choices(WORDS, k=CHARACTERS // 7))


def as_json(out: IO[bytes], count: int) -> None:
    out.write(b'{"items": [')
    for n, text in enumerate(texts(count)):
        out.write((b", " if n else b"") + json.dumps({"text": text, "external_id": f"s-{n}"}).encode())
    out.write(b"]}")


def as_ndjson(out: IO[bytes], count: int) -> None:
    for n, text in enumerate(texts(count)):
        out.write(json.dumps({"text": text, "external_id": f"s-{n}"}).encode() + b"\n")


def as_csv(out: IO[bytes], count: int) -> None:
    lines = io.TextIOWrapper(out, newline="", write_through=True)
    csv.writer(lines).writerows([["external_id", "text"], *([f"s-{n}", text] for n, text in enumerate(texts(count)))])
    lines.detach()


def as_zip(out: IO[bytes], count: int) -> None:
    with zipfile.ZipFile(out, "w") as made:
        for n, text in enumerate(texts(count)):
            made.writestr(f"s-{n}.txt", text)


Writer = Callable[[IO[bytes], int], None]
KINDS: dict[str, tuple[Writer, str | None]] = {
    "JSON": (as_json, "application/json"), "NDJSON": (as_ndjson, "application/x-ndjson"), "CSV": (as_csv, "text/csv"),
    "zip": (as_zip, None),
}  # fmt: skip


class Api:
    """The one process that answers, and what it may be asked."""

    def __init__(self, home: Home) -> None:
        key = home.key_file.read_text().strip()
        self.http = httpx.Client(
            base_url=home.read()["url"], headers={"Authorization": f"Bearer {key}"}, timeout=SECONDS
        )
        found = family(home, "api")
        # gunicorn, and its child, which answers.
        self._pid = next(p.pid for p in found if p.ppid() in {each.pid for each in found})

    def post(self, kind: str, count: int) -> tuple[dict[str, Any], float, int]:
        """The batch, the seconds until it was accepted, and the bytes of its body."""
        write_to, mime = KINDS[kind]
        with tempfile.TemporaryFile() as body:
            write_to(body, count)
            size = body.tell()
            body.seek(0)
            began = time.perf_counter()
            if mime:
                answer = self.http.post("/v1/batches", content=body, headers={"Content-Type": mime})
            else:
                answer = self.http.post("/v1/batches", files={"file": ("class.zip", body)})
            spent = time.perf_counter() - began
        if answer.status_code != 202:
            raise SystemExit(f"{kind}: {answer.status_code} {answer.text[:300]}")
        return answer.json(), spent, size

    def read(self, path: str) -> tuple[int, float]:
        """Bytes and seconds of an answer that is not kept."""
        began = time.perf_counter()
        with self.http.stream("GET", path) as answer:
            size = sum(len(piece) for piece in answer.iter_bytes())
        return size, time.perf_counter() - began

    def begin(self) -> float:
        """Forgets the peak so far; MB that are held now."""
        Path(f"/proc/{self._pid}/clear_refs").write_text("5")
        return self._mb("VmRSS")

    def peak(self) -> float:
        return self._mb("VmHWM")

    def _mb(self, what: str) -> float:
        lines = Path(f"/proc/{self._pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(what)).split()[1]) * 1024 / 1e6


def moved(api: Api, batch: str) -> int:
    """How many different counts of graded texts were seen until the batch ended."""
    seen, deadline = set(), time.monotonic() + SECONDS
    while (found := api.http.get(f"/v1/batches/{batch}").json())["state"] == "running":
        seen.add(found["counts"]["succeeded"])
        if time.monotonic() > deadline:
            raise SystemExit(f"not finished: {found['counts']}")
        time.sleep(0.25)
    return len(seen)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.uploads", description=__doc__)
    parser.add_argument("--rows", type=int, help="[10000; quick: 500]")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    count, rows = given.rows or (500 if given.quick else 10_000), []
    with own_stack(1, GRADELINE_ENGINE="fake", GRADELINE_REUSE="false", GRADELINE_LOG_LEVEL="WARNING") as home:
        api = Api(home)
        for kind in KINDS:
            for _ in range(2):  # what a process loads once is not growth
                warm = api.post(kind, 20)[0]["id"]
                api.read(f"/v1/batches/{warm}/results?format=csv")
            before = api.begin()
            batch, seconds, size = api.post(kind, count)
            row = {
                "kind": kind,
                "rows": batch["counts"]["total"],
                "mb": size / 1e6,
                "accepted_s": seconds,
                "grown_mb": api.peak() - before,
            }
            if kind == "CSV":
                row["counts_seen"] = moved(api, batch["id"])
                before = api.begin()
                got, row["results_s"] = api.read(f"/v1/batches/{batch['id']}/results?format=csv")
                row |= {"results_mb": got / 1e6, "results_grown_mb": api.peak() - before}
            else:
                api.http.post(f"/v1/batches/{batch['id']}/cancel")
            rows.append(row)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    write("uploads", [{name: row.get(name, "") for name in columns} for row in rows], given.out, {"rows": count})


if __name__ == "__main__":
    main()
