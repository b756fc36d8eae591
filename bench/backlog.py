"""`python -m bench.backlog`: what a job costs while 1,000 to 1,000,000 others wait, and what the servers hold meanwhile.

A stack without workers: what waits, stays. At each level the backlog is filled (over HTTP in batches of 10,000, beyond
--http of them by the same statements without HTTP, to bound the time), tables are vacuumed and analysed as autovacuum would
within minutes, and then measured, --rounds times: `submit`, a batch of 200 over HTTP; `dispatch`, 64 jobs into the window;
`claim`, these in chunks of 16 as a worker claims them. Claimed jobs are cancelled, so that no level finds more running
than another. Each time is milliseconds a job. A level can only grow out of the one before: levels follow one another.

In the end PostgreSQL explains every statement that was sent: at 10,000 jobs and more none may read all of `job`.
"""

from __future__ import annotations

import argparse
import time
import uuid
from pathlib import Path
from typing import Any

import psycopg
import redis

from bench.filling import QUEUE, Texts, directly, over_http, sizes
from bench.hand_in import sender_of
from bench.own_stack import memory, own_stack
from bench.plans import Statement, explained, recorded, whole_tables
from bench.rows import one, redis_url_of, url_of
from bench.tables import RESULTS, median, write
from broker.app import make_app
from broker.dispatch import Dispatch
from broker.settings import BrokerSettings
from broker.sweep import sweep
from db import jobs, window
from db.session import Database
from gradeline.stack import launch
from gradeline.stack.home import Home

SUBMIT, TAKE, CHUNK = 200, 64, 16
# The API puts some jobs into the window after each batch, and no worker takes them out.
INSIDE = 64
PLANNED = 10_000


class Backlog:
    """A stack without workers whose backlog grows level by level."""

    def __init__(self, home: Home, given: argparse.Namespace) -> None:
        self.home, self.given, self.texts, self.waiting = home, given, Texts(), 0
        self.settings = BrokerSettings(database_url=url_of(home), redis_url=redis_url_of(home))
        self.database, self.sender = Database(self.settings), sender_of(home)

    def fill(self, level: int) -> float:
        """Up to what the rounds of submitting leave for themselves; milliseconds a job, 0 when nothing was to do."""
        costs = []
        missing = max(0, level - self.waiting - self.given.rounds * SUBMIT)
        with launch.client_of(self.home) as client:
            for size in sizes(missing, self.given.batch):
                texts = self.texts.some(size)
                http = self.waiting + size <= self.given.http
                costs.append(over_http(client, texts) if http else directly(self.database, texts))
                self.waiting += size
        return median(costs) if costs else 0.0

    def submit(self) -> list[float]:
        """Milliseconds a job, by round."""
        with launch.client_of(self.home) as client:
            self.waiting += self.given.rounds * SUBMIT
            return [over_http(client, self.texts.some(SUBMIT)) for _ in range(self.given.rounds)]

    def settle(self) -> None:
        with psycopg.connect(url_of(self.home), autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE) job, submission, attempt")
            connection.execute("CHECKPOINT")  # what was filled is written now, not beside what is measured

    def dispatch(self) -> tuple[float, list[uuid.UUID]]:
        """Milliseconds a job, and the jobs."""
        began = time.perf_counter()
        with self.database.session() as session:
            taken = window.take(session, QUEUE, window.room(session, QUEUE, INSIDE + TAKE))
        ids = [job.id for job in taken]
        return (time.perf_counter() - began) * 1000 / len(ids), ids

    def claim(self, ids: list[uuid.UUID]) -> float:
        """Milliseconds a job, in chunks and transactions as a worker's."""
        began, held = time.perf_counter(), 0
        for start in range(0, len(ids), CHUNK):
            with self.database.session() as session:
                held += len(jobs.claim(session, ids[start : start + CHUNK], "bench", 600))
        assert held == len(ids), f"{held} of {len(ids)} could be claimed"
        return (time.perf_counter() - began) * 1000 / len(ids)

    def leave(self, ids: list[uuid.UUID]) -> None:
        for job in ids:
            self.sender.send("POST", f"/v1/jobs/{job}/cancel")
        self.waiting -= len(ids)

    def sizes(self) -> dict[str, Any]:
        """Megabytes: the broker's data, the database's memory and files."""
        with redis.Redis.from_url(redis_url_of(self.home)) as client:
            used = int(client.info("memory")["used_memory"])
        table = "SELECT pg_total_relation_size('job') / 2^20, pg_database_size(current_database()) / 2^20"
        job, everything = one(self.home, table)
        held = memory(self.home, "postgres")["all_pss_mb"]
        return {
            "Valkey MB": used / 2**20,
            "PostgreSQL memory MB": held,
            "job MB": float(job),
            "all MB": float(everything),
        }

    def statements(self) -> dict[str, list[Statement]]:
        """What one round of each step sends."""
        sent: dict[str, list[Statement]] = {}
        with recorded(self.database.engine) as seen:
            _, ids = self.dispatch()
            sent["dispatch"], seen[:] = list(seen), []
            self.claim(ids[:CHUNK])
            sent["claim"], seen[:] = list(seen), []
            sweep(Dispatch(self.database, make_app(self.settings), self.settings))
            sent["sweep"] = list(seen)
        self.leave(ids)
        return sent


def measure(backlog: Backlog, level: int) -> dict[str, Any]:
    """The row of a level."""
    filled = backlog.fill(level)
    backlog.settle()
    submits = backlog.submit()
    backlog.settle()
    waiting, takes, claims = backlog.waiting, [], []
    backlog.leave(backlog.dispatch()[1])  # opens connections, and lets PostgreSQL read what it had not in memory
    for _ in range(backlog.given.rounds):
        took, ids = backlog.dispatch()
        takes.append(took)
        claims.append(backlog.claim(ids))
        backlog.leave(ids)
    batches = one(backlog.home, "SELECT count(*) FROM batch")[0]
    costs = {"fill": filled, "submit": median(submits), "dispatch": median(takes), "claim": median(claims)}
    costs["together"] = sum(cost for name, cost in costs.items() if name != "fill")
    row = {"waiting": waiting, "batches": batches, **{f"{name} (ms)": cost for name, cost in costs.items()}}
    print({name: round(value, 3) for name, value in row.items()}, flush=True)
    return {**row, **backlog.sizes()}


def compared(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The last level over the first."""
    first, last = rows[0], rows[-1]
    named = ("submit (ms)", "dispatch (ms)", "claim (ms)", "together (ms)")
    return {**dict.fromkeys(first, ""), "waiting": "last / first", **{name: last[name] / first[name] for name in named}}


def plans(backlog: Backlog) -> tuple[list[dict[str, Any]], bool]:
    """How each step reads each table now, and whether one reads all of `job`."""
    rows: list[dict[str, Any]] = []
    bad = False
    for step, sent in backlog.statements().items():
        scans = {scan for each in sent for scan in explained(backlog.database, each)}
        bad = bad or bool(whole_tables(scans, "job"))
        for scan in sorted(scans, key=lambda scan: (scan.table, scan.index)):
            rows.append({"step": step, "table": scan.table, "how": scan.how, "index": scan.index})
    return rows, bad


def draw(axes: Any, rows: Any) -> None:
    shown = [row for row in rows if isinstance(row["waiting"], int)]
    for name in ("submit (ms)", "dispatch (ms)", "claim (ms)"):
        axes.plot([row["waiting"] for row in shown], [row[name] for row in shown], marker="o", label=name)
    axes.set(xlabel="jobs that wait", ylabel="ms a job", xscale="log", ylim=(0, None))
    axes.legend()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.backlog", description=__doc__)
    parser.add_argument("--levels", type=int, nargs="+", help="[1000 10000 100000 1000000; quick: 1000 3000]")
    parser.add_argument("--rounds", type=int, help="[5; quick: 2]")
    parser.add_argument("--batch", type=int, default=10_000, help="texts of a batch when filling")
    parser.add_argument("--http", type=int, default=100_000, help="up to how many jobs are filled over HTTP")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    given.levels = given.levels or ([1000, 3000] if given.quick else [1000, 10_000, 100_000, 1_000_000])
    given.rounds = given.rounds or (2 if given.quick else 5)
    with own_stack(0, GRADELINE_ENGINE="fake") as home:
        backlog = Backlog(home, given)
        rows = [measure(backlog, level) for level in given.levels]
        how, bad = plans(backlog)
        backlog.database.close()
    more = {"rounds": given.rounds, "texts a batch": given.batch, "filled over HTTP up to": given.http}
    write("backlog-plans", how, given.out, more)
    write("backlog", [*rows, compared(rows)], given.out, more, draw)
    if bad and rows[-1]["waiting"] >= PLANNED:
        raise SystemExit("a statement reads all of `job`: see the table of plans")


if __name__ == "__main__":
    main()
