"""`python -m bench.queue`: everything but the engine. Jobs a second that are submitted, dispatched, graded and persisted.

The engine is the fake one at zero service time, and the texts are short, so that features cost little. First each stage by
itself in one process against the stack's own PostgreSQL and Valkey, then the whole line: a batch over HTTP, and from the
first claim to the last row, with one worker and with two.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import text

from bench.own_stack import cpu_seconds, family, own_stack
from bench.tables import RESULTS, median, write
from broker.address import PREFIX, client_of
from broker.app import make_app
from broker.dispatch import Dispatch
from broker.queues import queue_name
from broker.settings import EMBEDDED_MODEL
from db import jobs, window
from db.session import Database
from gradeline.stack import launch, postgres, valkey
from gradeline.stack.home import Home
from worker.child import load_marker
from worker.grading import Grading
from worker.settings import WorkerSettings

QUEUE = queue_name(EMBEDDED_MODEL, "any", "bulk")
SUBMIT = 2000
PARTS = ("postgres", "valkey", "api", "worker-cpu")


def texts_of(count: int, round_: int) -> list[dict[str, str]]:
    """Short texts that are all different."""
    return [
        {"text": f"Essay {round_} {n}: phones help pupils learn, and they distract them too."} for n in range(count)
    ]


def submit(home: Home, count: int, round_: int) -> tuple[float, list[str]]:
    """Submits jobs in batches over HTTP; returns jobs a second, and the batches."""
    items, ids = texts_of(count, round_), []
    with launch.client_of(home) as client:
        began = time.perf_counter()
        for start in range(0, count, SUBMIT):
            ids.append(str(client.submit_batch(items[start : start + SUBMIT])["id"]))
        return count / (time.perf_counter() - began), ids


def settings_of(home: Home) -> WorkerSettings:
    """The settings of a worker of the stack."""
    state = home.read()["ports"]
    return WorkerSettings(
        database_url=postgres.url(home, state["postgres"]), redis_url=valkey.url(home, state["valkey"]), engine="fake",
        home=home.path, window_chunks=64,
    )  # fmt: skip


def stages(home: Home, count: int, chunk: int, round_: int) -> dict[str, float]:
    """Milliseconds a job of each stage, in one process, while no worker runs."""
    settings = settings_of(home).model_copy(update={"chunk_first": chunk})
    database, app = Database(settings), make_app(settings)
    rate, _ = submit(home, count, round_)
    time.sleep(1)
    with database.session() as session, client_of(settings, 5) as broker:
        window.forget_lost(session, 0)  # the API has sent some
        broker.delete(PREFIX + QUEUE)
    spent = {"submit (HTTP)": 1000 / rate, "dispatch": 0.0, "claim": 0.0, "mark": 0.0, "persist": 0.0}
    dispatch, grading = (
        Dispatch(database, app, settings),
        Grading(database, load_marker(settings, "bench"), settings, "bench"),
    )
    sent: list[list[Any]] = []
    app.send_task = lambda _name, args, **_: sent.append(args[0])  # the messages are counted in the whole line
    done = 0
    while done < count:
        clocked(spent, "dispatch", lambda: dispatch([QUEUE]))
        for ids in sent:
            done += graded(grading, ids, spent)
        sent.clear()
    database.close()
    return {name: ms / (1 if name.startswith("submit") else count) for name, ms in spent.items()}


def graded(grading: Grading, ids: list[Any], spent: dict[str, float]) -> int:
    """One chunk, as Grading.chunk does it."""
    with grading.database.session() as session:
        scorer = grading.marker.scorer(False)
        held = clocked(spent, "claim", lambda: jobs.claim(session, ids, grading.name, 60, scorer))
    finished = clocked(spent, "mark", lambda: grading.marker.mark(held))
    return len(clocked(spent, "persist", lambda: grading.write(grading.marker, finished)))


def clocked(spent: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    try:
        return work()
    finally:
        spent[name] += (time.perf_counter() - began) * 1000


def whole(home: Home, count: int, round_: int) -> dict[str, Any]:
    """The line, whose workers stand still while jobs are submitted: jobs a second from the first claim to the
    last row, and milliseconds of CPU a job of each part meanwhile.
    """
    with stopped(home):
        rate, batches = submit(home, count, round_)
        before = {name: cpu_seconds(home, name) for name in PARTS}
    with launch.client_of(home) as client:
        while not all(client.batch(each)["state"] == "finished" for each in batches):
            time.sleep(0.2)
        counts = [client.batch(each)["counts"] for each in batches]
    cpu = {f"CPU of {name}": 1000 * (cpu_seconds(home, name) - before[name]) / count for name in PARTS}
    if sum(each["succeeded"] for each in counts) != count:
        raise SystemExit(f"not all succeeded: {counts}")
    return {"submitted": 1000 / rate, "persisted": 1000 * span(home, batches) / count, **cpu}


@contextmanager
def stopped(home: Home) -> Iterator[None]:
    """The stack's workers stand still meanwhile."""
    workers = family(home, "worker-cpu")
    for process in workers:
        process.suspend()
    try:
        yield
    finally:
        for process in workers:
            process.resume()


def span(home: Home, batches: list[str]) -> float:
    """Seconds from the first claim to the last row of some batches."""
    database = Database(settings_of(home))
    query = text("SELECT extract(epoch FROM max(finished_at) - min(started_at)) FROM job WHERE batch_id = ANY(:ids)")
    try:
        with database.session() as session:
            return float(session.scalar(query, {"ids": batches}) or 0)
    finally:
        database.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.queue", description=__doc__)
    parser.add_argument("--count", type=int, default=12_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chunk", type=int, default=128)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="of the whole line [1 2]")
    parser.add_argument("--quick", action="store_true", help="one small round")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    count, rounds = (2000, 1) if given.quick else (given.count, given.rounds)
    with own_stack(0, GRADELINE_ENGINE="fake", GRADELINE_LOG_LEVEL="WARNING") as home:
        parts = [stages(home, count // 4, given.chunk, n) for n in range(rounds)]
        lines = {workers: measured(home, workers, count, rounds) for workers in given.workers}
    rows = [row(name, [each[name] for each in parts]) for name in parts[0]]
    for workers, told in lines.items():
        rows += [row(f"line, workers {workers}: {name}", [each[name] for each in told]) for name in told[0]]
    write("queue", rows, given.out, {"jobs": count, "chunk": given.chunk, "rounds": rounds}, draw)


def measured(home: Home, workers: int, count: int, rounds: int) -> list[dict[str, Any]]:
    """Rounds of the whole line with so many workers."""
    launch.scale(home, workers)
    return [whole(home, count, 100 * workers + n) for n in range(rounds)]


def row(name: str, times: list[float]) -> dict[str, Any]:
    """Of milliseconds a job, one a round."""
    return {"stage": name, "ms a job": round(median(times), 4), "jobs a second": round(1000 / max(median(times), 1e-6))}


def draw(axes: Any, rows: Any) -> None:
    axes.barh([each["stage"] for each in rows][::-1], [each["ms a job"] for each in rows][::-1])
    axes.set_xlabel("milliseconds a job")


if __name__ == "__main__":
    main()
