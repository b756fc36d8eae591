"""`python -m bench.uploads`: ten thousand texts in one body, as each kind: seconds until 202, and what the API grows by.

Then the results of the CSV's batch as CSV, and how often its counts were seen to move while a worker with the engine `fake`
graded it. Growth is the peak over what the process held before, in MB (Linux: /proc).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import httpx

from bench.bodies import KINDS, Memory, post
from bench.own_stack import family, own_stack
from bench.tables import RESULTS, write
from gradeline.stack.home import Home

SECONDS = 1800.0


class Api:
    """The one process that answers, and what it may be asked."""

    def __init__(self, home: Home) -> None:
        key = home.key_file.read_text().strip()
        self.http = httpx.Client(
            base_url=home.read()["url"], headers={"Authorization": f"Bearer {key}"}, timeout=SECONDS
        )
        found = family(home, "api")
        # gunicorn, and its child, which answers.
        self.memory = Memory(next(p.pid for p in found if p.ppid() in {each.pid for each in found}))

    def post(self, kind: str, count: int) -> tuple[dict[str, Any], float, int]:
        """The batch, the seconds until it was accepted, and the bytes of its body."""
        answer, spent, size = post(self.http, KINDS[kind], count)
        if answer.status_code != 202:
            raise SystemExit(f"{kind}: {answer.status_code} {answer.text[:300]}")
        return answer.json(), spent, size

    def read(self, path: str) -> tuple[int, float]:
        """Bytes and seconds of an answer that is not kept."""
        began = time.perf_counter()
        with self.http.stream("GET", path) as answer:
            size = sum(len(piece) for piece in answer.iter_bytes())
        return size, time.perf_counter() - began


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
            before = api.memory.begin()
            batch, seconds, size = api.post(kind, count)
            row = {
                "kind": kind,
                "rows": batch["counts"]["total"],
                "mb": size / 1e6,
                "accepted_s": seconds,
                "grown_mb": api.memory.peak() - before,
            }
            if kind == "CSV":
                row["counts_seen"] = moved(api, batch["id"])
                before = api.memory.begin()
                got, row["results_s"] = api.read(f"/v1/batches/{batch['id']}/results?format=csv")
                row |= {"results_mb": got / 1e6, "results_grown_mb": api.memory.peak() - before}
            else:
                api.http.post(f"/v1/batches/{batch['id']}/cancel")
            rows.append(row)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    write("uploads", [{name: row.get(name, "") for name in columns} for row in rows], given.out, {"rows": count})


if __name__ == "__main__":
    main()
