"""`python -m bench.backlog`: what a job costs while 1,000 to 1,000,000 others wait, and what the servers hold meanwhile.

A stack without workers for each level: what waits, stays. Each is filled (over HTTP in batches of 10,000, beyond --http of them
by the same statements without HTTP, to bound the time), and its tables are vacuumed and analysed as autovacuum would within
minutes. Then all take turns, --rounds times: `submit`, a batch of 192 over HTTP; three times `dispatch`, 64 jobs into the window,
and `claim`, these in chunks of 16 as a worker claims them. Claimed jobs are cancelled, so that as many wait after a turn as
before it, and dead rows are vacuumed between turns. Twice a level may wait: at a limit, each hand-in waits for a count. Each time
is milliseconds a job. Levels are compared round by round.

In the end PostgreSQL explains every statement that was sent: at 10,000 jobs and more none may read all of `job`.
"""

from __future__ import annotations

import argparse
import contextlib
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
from bench.tables import RESULTS, median, times, write
from broker.app import make_app
from broker.dispatch import Dispatch
from broker.settings import BrokerSettings
from broker.sweep import sweep
from db import jobs, window
from db.session import Database
from gradeline.stack import launch
from gradeline.stack.home import Home

TAKES, TAKE, CHUNK = 3, 64, 16
STEPS = ("submit", "dispatch", "claim")
# The API puts some jobs into the window after each batch, and no worker takes them out: room for these and ours.
ROOM = 2 * TAKE
PLANNED = 10_000


class Backlog:
    """A stack without workers in which `level` jobs wait."""

    def __init__(self, home: Home, level: int, given: argparse.Namespace) -> None:
        self.home, self.level, self.given, self.texts = home, level, given, Texts()
        self.settings = BrokerSettings(database_url=url_of(home), redis_url=redis_url_of(home))
        self.database, self.sender = Database(self.settings), sender_of(home)
        self.fill_ms = 0.0
        self.costs: dict[str, list[float]] = {step: [] for step in (*STEPS, "together")}

    def fill(self) -> None:
        """All but what a turn hands in."""
        costs, done = [], 0
        with launch.client_of(self.home) as client:
            for size in sizes(self.level - TAKES * TAKE, self.given.batch):
                texts = self.texts.some(size)
                done += size
                costs.append(over_http(client, texts) if done <= self.given.http else directly(self.database, texts))
        self.fill_ms = median(costs)
        self.settle("VACUUM (ANALYZE) job, submission, attempt")
        self.settle("CHECKPOINT")  # what was filled is written now, not beside what is measured

    def settle(self, how: str = "VACUUM job, submission, attempt") -> None:
        with psycopg.connect(url_of(self.home), autocommit=True) as connection:
            connection.execute(how)

    def turn(self, counted: bool = True) -> None:
        """One round of all steps."""
        with launch.client_of(self.home) as client:
            submit = over_http(client, self.texts.some(TAKES * TAKE))
        takes, claims = [], []
        for _ in range(TAKES):
            took, ids = self.dispatch()
            takes.append(took)
            claims.append(self.claim(ids))
            self.leave(ids)
        self.settle()
        if counted:
            costs = dict(zip(STEPS, (submit, median(takes), median(claims)), strict=True))
            for step, cost in {**costs, "together": sum(costs.values())}.items():
                self.costs[step].append(cost)

    def dispatch(self) -> tuple[float, list[uuid.UUID]]:
        """Milliseconds a job, and the jobs."""
        began = time.perf_counter()
        with self.database.session() as session:
            taken = window.take(session, QUEUE, min(TAKE, window.room(session, QUEUE, ROOM)))
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

    def row(self) -> dict[str, Any]:
        """Medians of the rounds."""
        batches = one(self.home, "SELECT count(*) FROM batch")[0]
        costs = {f"{step} (ms)": median(each) for step, each in self.costs.items()}
        return {"waiting": self.level, "batches": batches, "fill (ms)": self.fill_ms, **costs, **self.sizes()}


def measure(backlogs: list[Backlog], rounds: int) -> list[dict[str, Any]]:
    """The rows of all levels, and the last over the first."""
    for number in range(rounds + 1):
        for backlog in backlogs:
            # In the first, connections are opened, and PostgreSQL reads what it had not in memory.
            backlog.turn(counted=number > 0)
        print(number, *(f"{b.level}: {b.costs['together'][-1]:.3f} ms" for b in backlogs if number), flush=True)
    rows = [backlog.row() for backlog in backlogs]
    return [*rows, compared(rows[0], backlogs[0].costs, backlogs[-1].costs)]


def compared(row: dict[str, Any], first: dict[str, list[float]], last: dict[str, list[float]]) -> dict[str, Any]:
    """A row with the last level's costs over the first's: the middle of the rounds' ratios."""
    ratios = {f"{step} (ms)": times(last[step], first[step]) for step in first}
    return {**dict.fromkeys(row, ""), "waiting": "last / first", **ratios}


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
    for name in (f"{step} (ms)" for step in STEPS):
        axes.plot([row["waiting"] for row in shown], [row[name] for row in shown], marker="o", label=name)
    axes.set(xlabel="jobs that wait", ylabel="ms a job", xscale="log", ylim=(0, None))
    axes.legend()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.backlog", description=__doc__)
    parser.add_argument("--levels", type=int, nargs="+", help="[1000 10000 100000 1000000; quick: 1000 3000]")
    parser.add_argument("--rounds", type=int, help="[15; quick: 2]")
    parser.add_argument("--batch", type=int, default=10_000, help="texts of a batch when filling")
    parser.add_argument("--http", type=int, default=100_000, help="up to how many jobs are filled over HTTP")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    given.levels = given.levels or ([1000, 3000] if given.quick else [1000, 10_000, 100_000, 1_000_000])
    given.rounds = given.rounds or (2 if given.quick else 15)
    if min(given.levels) <= TAKES * TAKE:
        parser.error(f"--levels: a turn hands in {TAKES * TAKE} jobs, and more must wait")
    with contextlib.ExitStack() as stacks:
        backlogs = []
        for level in given.levels:
            home = stacks.enter_context(own_stack(0, GRADELINE_ENGINE="fake", GRADELINE_MOST_WAITING=str(2 * level)))
            backlogs.append(Backlog(home, level, given))
            stacks.callback(backlogs[-1].database.close)
            backlogs[-1].fill()
            print(f"{level} wait", flush=True)
        rows = measure(backlogs, given.rounds)
        how, bad = plans(backlogs[-1])
    more = {"rounds": given.rounds, "texts a batch": given.batch, "filled over HTTP up to": given.http}
    write("backlog-plans", how, given.out, more)
    write("backlog", rows, given.out, more, draw)
    if bad and given.levels[-1] >= PLANNED:
        raise SystemExit("a statement reads all of `job`: see the table of plans")


if __name__ == "__main__":
    main()
