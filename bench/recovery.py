"""`python -m bench.recovery`: how long it takes until work goes on after something died, on a stack with the fake engine.

- a worker: its parent and children are killed while it holds a chunk; from the kill until the last of its jobs runs again.
- Valkey: emptied while 5,000 jobs wait; how much later the last job ends than in a run in which nothing happened.
- PostgreSQL: killed, and kept dead for five seconds, while callers hand in; from its end until the API accepts a text again,
  what of all accepted texts was lost, and whether the API's processes are still the same.
- a poisonous text among 500: what else failed, and how often it was tried.
- 100,000 jobs wait: what Valkey holds.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import redis

from bench.hand_in import await_batch, await_empty, sender_of
from bench.own_stack import family, own_stack
from bench.rows import one, redis_url_of
from bench.sending import Sender
from bench.tables import RESULTS, median, write
from gradeline.client import Client
from gradeline.stack import launch
from gradeline.stack.home import Home
from worker.engine.fake import KILLED

WORKERS, CALLERS, DEAD_S, BATCH = 2, 4, 5.0, 5000
CALL_S = 0.02  # between two texts of a caller
SETTINGS = {"GRADELINE_ENGINE": "fake", "GRADELINE_FAKE_MS": "2", "GRADELINE_FAKE_FAULTS": "True"}
MOST_HELD = "SELECT worker, count(*) FROM job WHERE state = 'running' GROUP BY worker ORDER BY 2 DESC LIMIT 1"
AGAIN = """
SELECT count(*), extract(epoch FROM max(j.started_at))::float8 FROM job j JOIN attempt a ON a.job_id = j.id
WHERE a.outcome = 'lost' AND a.worker = %s AND a.started_at < to_timestamp(%s) AND a.finished_at > to_timestamp(%s)
"""


class Numbers:
    """Texts that are all different."""

    def __init__(self) -> None:
        self._next = itertools.count()

    def items(self, count: int) -> list[dict[str, str]]:
        return [
            {"text": f"Essay {next(self._next)}: phones help pupils, and they distract them."} for _ in range(count)
        ]


def hand_in(client: Client, items: list[dict[str, str]]) -> list[str]:
    """In batches; their ids."""
    return [str(client.submit_batch(items[n : n + BATCH])["id"]) for n in range(0, len(items), BATCH)]


def killed_worker(home: Home, numbers: Numbers, jobs: int) -> float:
    """Seconds from the kill of the worker that holds most until the last job that it held runs again."""
    with launch.client_of(home) as client:
        (batch,) = hand_in(client, numbers.items(jobs))
        while (held := one(home, MOST_HELD)) is None:
            time.sleep(0.02)
        worker = str(held[0])
        victims = [p for p in family(home, "worker-cpu") if _named(p, worker)]
        killed = time.time()
        for victim in victims:
            _kill(victim)
        await_batch(client, batch, jobs)
        launch.await_workers(home, WORKERS)
    count, last = one(home, AGAIN, (worker, killed, killed))
    if not count:
        raise SystemExit(f"{worker} held nothing when it was killed")
    return float(last) - killed


def _named(process: psutil.Process, worker: str) -> bool:
    with contextlib.suppress(psutil.Error):
        return worker.split("@")[0] in process.cmdline()
    return False


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.Error):
        process.kill()


def emptied_valkey(home: Home, numbers: Numbers, jobs: int) -> dict[str, float]:
    """Seconds of a batch without and with a FLUSHALL in its middle."""
    spent = {}
    for name in ("undisturbed", "emptied"):
        with launch.client_of(home) as client:
            began = time.time()
            batches = hand_in(client, numbers.items(jobs))
            if name == "emptied":
                with redis.Redis.from_url(redis_url_of(home), socket_timeout=5) as broker:
                    broker.flushall()
            for batch, n in zip(batches, range(jobs, 0, -BATCH), strict=True):
                await_batch(client, batch, min(n, BATCH))
        spent[name] = time.time() - began
    return spent


class Callers:
    """Threads that hand in single texts, and keep what was answered with 202, and when."""

    def __init__(self, home: Home, numbers: Numbers) -> None:
        self.home, self.numbers, self.accepted, self.refused = home, numbers, dict[str, float](), 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(CALLERS)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _call(self) -> None:
        sender = sender_of(self.home)
        while not self._stop.wait(CALL_S):
            (item,) = self.numbers.items(1)
            if (job := _try(sender, item)) is not None:
                self.accepted[job] = time.time()
            else:
                self.refused += 1


def _try(sender: Sender, item: dict[str, str]) -> str | None:
    try:
        return str(sender.send("POST", "/v1/jobs", item)["id"])
    except (SystemExit, OSError):  # 503, or nobody there
        return None


def killed_database(home: Home, numbers: Numbers) -> dict[str, Any]:
    """What callers saw of a database that was dead for some seconds."""
    before = {p.pid for p in family(home, "api")}
    with Callers(home, numbers) as callers:
        time.sleep(2)
        deadline = time.time() + DEAD_S
        while time.time() < deadline:
            for process in family(home, "postgres"):
                _kill(process)
            time.sleep(0.1)
        ended = time.time()
        while not any(at > ended for at in list(callers.accepted.values())):
            time.sleep(0.02)
        time.sleep(2)
    back = min(at for at in callers.accepted.values() if at > ended) - ended
    with launch.client_of(home) as client:
        await_empty(client)
    query = "SELECT count(*) FROM job j JOIN result r ON r.job_id = j.id WHERE j.id = ANY(%s::uuid[]) AND state = 'succeeded'"
    (done,) = one(home, query, (list(callers.accepted),))
    same = before == {p.pid for p in family(home, "api")}
    return {
        "api accepts again after (s)": back, "accepted": len(callers.accepted), "refused": callers.refused,
        "accepted and lost": len(callers.accepted) - int(done), "api restarted": not same,
    }  # fmt: skip


def poison(home: Home, numbers: Numbers) -> dict[str, Any]:
    """One text among 500 that kills whoever reads it."""
    items = numbers.items(499)
    items.insert(250, {"text": f"A poisonous text {KILLED}."})
    with launch.client_of(home) as client:
        began = time.time()
        (batch,) = hand_in(client, items)
        while client.batch(batch)["state"] == "running":
            time.sleep(0.2)
        counts = client.batch(batch)["counts"]
    (attempts,) = one(home, "SELECT max(attempt) FROM job WHERE batch_id = %s AND state = 'failed'", (batch,))
    return {
        "succeeded": counts["succeeded"], "failed": counts["failed"], "attempts of it": attempts,
        "all ended after (s)": time.time() - began,
    }  # fmt: skip


def memory_of_waiting(home: Home, numbers: Numbers, jobs: int) -> dict[str, float]:
    """Megabytes that Valkey holds while nobody works, and how much more than before."""
    launch.scale(home, 0)
    with redis.Redis.from_url(redis_url_of(home), socket_timeout=5) as broker:
        before = broker.info("memory")["used_memory"]
        with launch.client_of(home) as client:
            hand_in(client, numbers.items(jobs))
            time.sleep(3)  # the API's dispatcher has sent what it will
        after = broker.info("memory")["used_memory"]
    return {"valkey holds (MB)": after / 2**20, "of that for the jobs (MB)": (after - before) / 2**20}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.recovery", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--waiting", type=int, default=100_000)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    rounds, jobs, waiting = (1, 2000, 2000) if given.quick else (given.rounds, given.jobs, given.waiting)
    numbers, figures = Numbers(), list[tuple[str, str, list[float]]]()
    with own_stack(WORKERS, **SETTINGS) as home:
        figures.append(
            ("a worker killed", "runs again after (s)", [killed_worker(home, numbers, jobs) for _ in range(rounds)])
        )
        pairs = [emptied_valkey(home, numbers, jobs) for _ in range(rounds)]
        figures += [("Valkey emptied", f"{name} (s)", [each[name] for each in pairs]) for name in pairs[0]]
        figures.append(("Valkey emptied", "delay (s)", [each["emptied"] - each["undisturbed"] for each in pairs]))
        for what, told in (
            ("PostgreSQL dead for 5 s", [killed_database(home, numbers) for _ in range(rounds)]),
            ("a poisonous text among 500", [poison(home, numbers) for _ in range(rounds)]),
            (f"{waiting:,} wait", [memory_of_waiting(home, numbers, waiting)]),
        ):
            figures += [(what, name, [float(each[name]) for each in told]) for name in told[0]]
    rows = [{"fault": what, "figure": name, **spread(values)} for what, name, values in figures]
    write("recovery", rows, given.out, {"rounds": rounds, "jobs": jobs, "workers": WORKERS})


def spread(values: list[float]) -> dict[str, float]:
    """Of the rounds of one run."""
    return {name: round(of(values), 2) for name, of in (("least", min), ("median", median), ("most", max))}


if __name__ == "__main__":
    main()
