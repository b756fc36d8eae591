"""`python -m bench.scale`: 1 to 32 workers whose engine is the fake one: 100 ms a chunk, whatever its size.

Such workers wait instead of computing, so that a machine with few cores can stand for many; what is left is what Gradeline
itself costs. Efficiency is jobs a second, from the first claim to the last row, over workers x chunk / 100 ms. Beside it:
how many cores each part of the stack used meanwhile, and so which of them fills the machine first. Starting many workers
takes long: each number of workers is started once and its rounds follow one another; the yardstick is a constant, not a
neighbour in time.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

from bench.hand_in import await_batch
from bench.own_stack import cpu_seconds, own_stack
from bench.rows import Run, run_of
from bench.tables import RESULTS, median, write
from bench.texts import marked, texts_of
from gradeline.stack import launch
from gradeline.stack.home import Home

PARTS = ("worker-cpu", "postgres", "api", "valkey")
WORDS = 12
MOST = 10_000  # texts of one batch


def ideal(workers: int, chunk: int, chunk_ms: float) -> float:
    """Jobs a second of workers that do nothing but compute."""
    return workers * chunk * 1000 / chunk_ms


def efficiency(per_s: float, workers: int, chunk: int, chunk_ms: float) -> float:
    """The share of the ideal that was reached."""
    return per_s / ideal(workers, chunk, chunk_ms)


def batches_of(total: int) -> list[int]:
    """Sizes of the batches in which so many jobs are handed in."""
    return [min(MOST, total - start) for start in range(0, total, MOST)]


def one_round(home: Home, total: int, turn: str) -> tuple[Run, dict[str, float]]:
    """Hands in so many jobs and waits; what the rows say, and the cores that each part used meanwhile."""
    before, began = {part: cpu_seconds(home, part) for part in PARTS}, time.perf_counter()
    with launch.client_of(home) as client:
        ids = []
        for n, size in enumerate(batches_of(total)):
            texts = marked(texts_of(size, seed=n, words=WORDS), turn)
            ids.append((str(client.submit_batch([{"text": f"{k} {t}"} for k, t in enumerate(texts)])["id"]), size))
        for batch, size in ids:
            await_batch(client, batch, size)
    spent = time.perf_counter() - began
    cores = {part: (cpu_seconds(home, part) - before[part]) / spent for part in PARTS}
    return run_of(home, [batch for batch, _ in ids]), cores


def measure(home: Home, workers: int, given: argparse.Namespace) -> dict[str, Any]:
    """The row of a number of workers."""
    print(f"  {workers} workers", flush=True)
    launch.scale(home, workers)
    total = max(workers * given.chunk, round(ideal(workers, given.chunk, given.chunk_ms) * given.seconds))
    one_round(home, workers * given.chunk * 2, f"w{workers}")
    runs, used = [], []
    for turn in range(given.rounds):
        run, cores = one_round(home, total, f"{workers}-{turn}")
        runs.append(run)
        used.append(cores)
        print(
            {"workers": workers, "jobs/s": round(run.per_s, 1), **{k: round(v, 2) for k, v in cores.items()}},
            flush=True,
        )
    rate, most = median([run.per_s for run in runs]), ideal(workers, given.chunk, given.chunk_ms)
    row = {
        "workers": workers,
        "jobs/s": rate,
        "ideal": most,
        "efficiency": efficiency(rate, workers, given.chunk, given.chunk_ms),
    }
    row |= {"jobs a chunk": median([run.jobs / run.calls for run in runs])}
    cores = {part: median([each[part] for each in used]) for part in PARTS}
    row |= {f"cores: {part}": round(value, 2) for part, value in cores.items()}
    return {
        **row,
        "idle cores": round(max(0.0, len(os.sched_getaffinity(0)) - sum(cores.values())), 2),
        "most": max(cores, key=lambda part: cores[part]),
    }


def draw(axes: Any, rows: Any) -> None:
    axes.plot([row["workers"] for row in rows], [row["efficiency"] for row in rows], marker="o")
    axes.set(xlabel="workers", ylabel="share of the ideal", xscale="log", ylim=(0, 1.05))
    axes.set_xticks([row["workers"] for row in rows], [str(row["workers"]) for row in rows])
    axes.axhline(0.95, linestyle=":", color="grey")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", help="[1 2 4 8 16 32; quick: 1 2 4]")
    parser.add_argument("--rounds", type=int, help="[5; quick: 1]")
    parser.add_argument("--seconds", type=float, help="work a round, at the ideal rate [8; quick: 2]")
    parser.add_argument("--chunk", type=int, default=4, help="jobs a chunk: 4 make 40 jobs a second and worker")
    parser.add_argument("--chunk-ms", type=float, default=100.0)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    given.workers = given.workers or ([1, 2, 4] if given.quick else [1, 2, 4, 8, 16, 32])
    given.rounds, given.seconds = given.rounds or (1 if given.quick else 5), given.seconds or (2 if given.quick else 8)
    settings = {"GRADELINE_ENGINE": "fake", "GRADELINE_FAKE_CHUNK_MS": str(given.chunk_ms), "GRADELINE_REUSE": "false"}
    most = str(given.chunk)
    with own_stack(1, GRADELINE_CHUNK_FIRST=most, GRADELINE_CHUNK_MOST=most, **settings) as home:
        rows = [measure(home, workers, given) for workers in given.workers]
    more = {
        "chunk": given.chunk,
        "chunk_ms": given.chunk_ms,
        "rounds": given.rounds,
        "seconds": given.seconds,
        "words": WORDS,
    }
    write("scale", rows, given.out, more, draw)


if __name__ == "__main__":
    main()
