"""`python -m bench.latency`: how long POST and GET take, and how long an interactive job waits, while workers are saturated.

POST and GET at fixed times (bench/open_loop.py), 50 to 200 a second, on an idle stack and while its worker computes a bulk
batch of essays with the default engine; each round goes through all rates of both. The essays that are POSTed are few, and
known after their first time, so that what they ask of the engine ends with the run: the row of each is written, claimed and
answered all the same.

Then the wait: interactive essays, each new, one after another at fixed times while 5,000 bulk essays wait; from POST to
running, against the time that a bulk chunk takes (tokenize + inference + persist of the jobs done meanwhile).
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from typing import Any

from bench.hand_in import await_empty, moment, sender_of
from bench.open_loop import percentile, run, schedule
from bench.own_stack import own_stack
from bench.sending import Sender
from bench.tables import RESULTS, median, write
from bench.texts import marked, texts_of
from gradeline.client import Client
from gradeline.stack import launch
from gradeline.stack.home import Home

KNOWN = 16
THREADS = 48
Cell = tuple[str, str, int]  # load, method, requests a second


class Load:
    """A bulk batch that keeps the workers busy for as long as the context lasts; cancelled then."""

    def __init__(self, client: Client, essays: int, mark: str) -> None:
        self.client, self.texts = client, marked(texts_of(min(essays, 500), seed=7), mark)
        self.essays, self.batch = essays, ""

    def __enter__(self) -> Load:
        items = [{"text": f"{n} {self.texts[n % len(self.texts)]}"} for n in range(self.essays)]
        self.batch = str(self.client.submit_batch(items)["id"])
        while not self.counts()["succeeded"]:
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        if sum(self.counts()[state] for state in ("queued", "running")):
            self.client.cancel_batch(self.batch)
        counts = self.counts()
        if counts["failed"]:
            raise SystemExit(f"bulk jobs failed: {counts}")

    def counts(self) -> dict[str, int]:
        return dict(self.client.batch(self.batch)["counts"])

    def still_busy(self) -> None:
        """SystemExit when the batch has ended: what was measured then was not a saturated stack."""
        if not self.counts()["queued"]:
            raise SystemExit("the bulk batch ended before the measurement: use more --essays")

    def chunk_ms(self) -> list[float]:
        """How long the newest chunks took, by the timings of their jobs."""
        done = itertools.islice(self.client.jobs(batch=self.batch, state="succeeded", limit=200), 1000)
        named = ("tokenize_ms", "inference_ms", "persist_ms")
        return [sum(job["timings"][name] or 0.0 for name in named) for job in done]


def cell(sender: Sender, method: str, per_s: int, seconds: float, ids: list[str]) -> list[float]:
    """Milliseconds of each request; ids of jobs that were made are added to `ids`, which GET reads in turn."""
    texts, known = texts_of(KNOWN, seed=3), list(ids)

    def call(n: int) -> Any:
        if method == "POST":
            return sender.send("POST", "/v1/jobs", {"text": texts[n % KNOWN]})["id"]
        return sender.send("GET", f"/v1/jobs/{known[n % len(known)]}")["id"]

    answered = run(call, schedule(per_s, seconds), THREADS)
    ids += [each.answer for each in answered if method == "POST"]
    return [each.latency_s * 1000 for each in answered]


def requests(home: Home, given: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of POST and GET."""
    found: dict[Cell, list[list[float]]] = {}
    with launch.client_of(home) as client:
        ids = [str(client.submit(text)["id"]) for text in texts_of(KNOWN, seed=3)]
        await_empty(client)
        for turn in range(given.rounds):
            idle(client, home, given, found, ids)
            with Load(client, given.essays, f"load{turn}") as load:
                cells(home, given, "saturated", found, ids)
                load.still_busy()
        await_empty(client)
        states = {client.get(job)["state"] for job in ids[:: max(1, len(ids) // 500)]}
    if states != {"succeeded"}:
        raise SystemExit(f"not all of a sample of {len(ids)} jobs succeeded: {states}")
    return [row_of(key, rounds) for key, rounds in found.items()]


def idle(
    client: Client, home: Home, given: argparse.Namespace, found: dict[Cell, list[list[float]]], ids: list[str]
) -> None:
    await_empty(client)
    cells(home, given, "idle", found, ids)
    await_empty(client)


def cells(
    home: Home, given: argparse.Namespace, load: str, found: dict[Cell, list[list[float]]], ids: list[str]
) -> None:
    """One round of all rates under one load."""
    sender = sender_of(home)
    for per_s in given.rates:
        for method in ("POST", "GET"):
            took = cell(sender, method, per_s, given.seconds, ids)
            found.setdefault((load, method, per_s), []).append(took)
            told = {"load": load, "method": method, "a second": per_s, "p99 (ms)": round(percentile(took, 0.99), 1)}
            print(told, flush=True)


def row_of(key: Cell, rounds: list[list[float]]) -> dict[str, Any]:
    """Medians of the rounds' percentiles, and the worst request of all."""
    shares = {f"p{share:g} (ms)": median([percentile(each, share / 100) for each in rounds]) for share in (50, 95, 99)}
    return {
        "load": key[0],
        "method": key[1],
        "a second": key[2],
        **shares,
        "worst (ms)": max(map(max, rounds)),
        "requests": sum(map(len, rounds)),
    }


def waits(home: Home, given: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each round, and their medians: how long interactive jobs wait while bulk essays are graded."""
    rows: list[dict[str, Any]] = []
    with launch.client_of(home) as client:
        for turn in range(given.rounds):
            await_empty(client)
            with Load(client, given.bulk, f"bulk{turn}") as load:
                waited = interactive(home, client, given, turn)
                load.still_busy()
                chunk = percentile(load.chunk_ms(), 0.5)
            p50, p95 = percentile(waited, 0.5), percentile(waited, 0.95)
            rows.append(
                {
                    "round": str(turn + 1),
                    "p50 wait (ms)": p50,
                    "p95 wait (ms)": p95,
                    "chunk (ms)": chunk,
                    "p95 / chunk": p95 / chunk,
                }
            )
            print(
                {name: value if isinstance(value, str) else round(value, 2) for name, value in rows[-1].items()},
                flush=True,
            )
    medians = {name: median([row[name] for row in rows]) for name in rows[0] if name != "round"}
    return [*rows, {"round": "median", **medians}]


def interactive(home: Home, client: Client, given: argparse.Namespace, turn: int) -> list[float]:
    """Milliseconds from POST (by this machine's clock) to running, of one round's interactive jobs."""
    texts, sender, began = texts_of(given.interactive, seed=5000 + turn), sender_of(home), {}

    def call(n: int) -> str:
        sent = time.time()
        job = str(sender.send("POST", "/v1/jobs", {"text": texts[n]})["id"])
        began[job] = sent
        return job

    ids = [each.answer for each in run(call, schedule(1 / given.every, given.interactive * given.every), 8)]
    done = client.wait_for(ids, 600)
    bad = [job["state"] for job in done.values() if job["state"] != "succeeded"]
    if bad:
        raise SystemExit(f"interactive jobs did not succeed: {bad}")
    return [(moment(job["started_at"]) - began[key]) * 1000 for key, job in done.items()]


def draw(axes: Any, rows: Any) -> None:
    for load in ("idle", "saturated"):
        for method in ("POST", "GET"):
            own = [row for row in rows if (row["load"], row["method"]) == (load, method)]
            axes.plot(
                [row["a second"] for row in own],
                [row["p99 (ms)"] for row in own],
                marker="o",
                label=f"{method}, {load}",
            )
    axes.set(xlabel="requests a second", ylabel="p99 (ms)", yscale="log")
    axes.axhline(50, linestyle=":", color="grey")
    axes.legend()


def draw_waits(axes: Any, rows: Any) -> None:
    axes.bar([row["round"] for row in rows], [row["p95 / chunk"] for row in rows])
    axes.set(xlabel="round", ylabel="p95 wait in chunk times")
    axes.axhline(1.5, linestyle=":", color="grey")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("--rates", type=int, nargs="+", help="requests a second [50 100 200; quick: 50]")
    parser.add_argument("--rounds", type=int, help="[5; quick: 1]")
    parser.add_argument("--seconds", type=float, help="of each rate in each round [6; quick: 2]")
    parser.add_argument("--essays", type=int, help="of the batch that saturates, a round [4000; quick: 600]")
    parser.add_argument("--bulk", type=int, help="bulk essays that interactive ones pass [5000; quick: 600]")
    parser.add_argument("--interactive", type=int, help="interactive essays a round [40; quick: 5]")
    parser.add_argument("--every", type=float, default=0.7, help="seconds from one interactive essay to the next")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    small = {"rates": [50], "rounds": 1, "seconds": 2.0, "essays": 600, "bulk": 600, "interactive": 5}
    full = {"rates": [50, 100, 200], "rounds": 5, "seconds": 6.0, "essays": 4000, "bulk": 5000, "interactive": 40}
    for name, value in (small if given.quick else full).items():
        setattr(given, name, getattr(given, name) or value)
    with own_stack(GRADELINE_REUSE="true") as home:
        rows, waited = requests(home, given), waits(home, given)
    sizes = {name: getattr(given, name) for name in (*small, "every")}
    write("latency", rows, given.out, sizes, draw)
    write("latency-wait", waited, given.out, sizes, draw_waits)


if __name__ == "__main__":
    main()
