"""`python -m bench.line`: the whole line (HTTP in, row out) against the bare engine on the same texts, in one run.

It starts a stack of its own, then takes turns: bare engine, line, bare engine, ... and prints medians and their ratio.
With --kill, worker child, worker and broker are killed during a run of the line, and every job must still succeed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from bench.own_stack import own_stack
from gradeline.client import Client
from gradeline.stack import launch
from gradeline.stack.home import Home
from worker.engine import load_engine
from worker.settings import WorkerSettings

SAMPLES = Path(__file__).parents[1] / "samples"
WORDS = 350


def texts_of(count: int) -> list[str]:
    """Texts of about 350 words, made of the sample essays' sentences in an order drawn by chance."""
    sentences = [
        s.strip() + "." for file in sorted(SAMPLES.glob("*.txt")) for s in file.read_text().split(".") if s.strip()
    ]
    draw, made = random.Random(0), []
    for _ in range(count):
        text = ""
        while len(text.split()) < WORDS:
            text += draw.choice(sentences) + " "
        made.append(" ".join(text.split()[:WORDS]))
    return made


def bare(texts: list[str], home: Path, chunk: int) -> float:
    """Texts a second of the engine alone, in chunks as the worker has them; loading is not counted."""
    engine = load_engine(WorkerSettings(home=home))
    began = time.perf_counter()
    for start in range(0, len(texts), chunk):
        engine.encode(texts[start : start + chunk])
    return len(texts) / (time.perf_counter() - began)


def line(texts: list[str], home: Home, threads: int, kill: bool) -> dict[str, float]:
    """Texts a second from the first POST to the last finished row, single jobs from several client threads."""
    began = time.perf_counter()
    local = threading.local()

    def submit(text: str) -> tuple[str, float]:
        client: Client = getattr(local, "client", None) or launch.client_of(home)
        local.client = client
        at = time.perf_counter()
        return str(client.submit(text)["id"]), (time.perf_counter() - at) * 1000

    with ThreadPoolExecutor(threads) as pool:
        sent = list(pool.map(submit, texts))
    submitted = time.perf_counter() - began
    if kill:
        kill_everything(home)
    with launch.client_of(home) as client:
        jobs = client.wait_for([job for job, _ in sent], seconds=600)
    states = {job["state"] for job in jobs.values()}
    if states != {"succeeded"} or len(jobs) != len(texts):
        raise SystemExit(f"not all succeeded: {states}")
    spent = time.perf_counter() - began
    posts = sorted(ms for _, ms in sent)
    return {"rate": len(texts) / spent, "submit_s": submitted, "post_ms_busy": posts[len(posts) // 2]}


def kill_everything(home: Home) -> None:
    """kill -9 of the worker's child, of the worker, and of the broker, two seconds apart."""
    with launch.client_of(home) as client:
        victims = [client.workers()[0]["children"][0]["pid"]]
    victims += [launch.processes(home)[name][0] for name in ("worker-cpu", "valkey")]
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
        time.sleep(2)


def idle(home: Home, text: str, count: int = 30) -> dict[str, float]:
    """Medians on an idle stack: POST, and from POST to the finished job."""
    posts, whole = [], []
    with launch.client_of(home) as client:
        for _ in range(count):
            began = time.perf_counter()
            job = client.submit(text)
            posts.append((time.perf_counter() - began) * 1000)
            client.get(job["id"], wait=20)
            whole.append((time.perf_counter() - began) * 1000)
    return {
        "post_ms_idle": statistics.median(posts),
        "done_ms_idle": statistics.median(whole),
        "done_ms_max": max(whole),
    }


def memory(home: Home) -> dict[str, float]:
    """Resident megabytes of each part, children included (shared pages counted in each)."""
    found: dict[str, float] = {}
    for name, pids in launch.processes(home).items():
        family = [p for pid in pids for p in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))]
        found[name] = round(sum(p.memory_info().rss for p in family) / 2**20)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.line", description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--kill", action="store_true", help="a last round in which processes are killed")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    # The same texts come in every round: nothing may be taken from the round before.
    with own_stack(GRADELINE_REUSE="false") as home:
        figures = measure(home, arguments)
    print(json.dumps(figures, indent=1))
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n")


def measure(home: Home, arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures of one run."""
    texts = texts_of(arguments.count)
    figures: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "texts": len(texts),
        "words": WORDS,
    }
    figures |= idle(home, texts[0])
    rates: dict[str, list[float]] = {"bare": [], "line": []}
    for _ in range(arguments.rounds):
        rates["bare"].append(bare(texts, home.path, 8))
        done = line(texts, home, arguments.threads, False)
        rates["line"].append(done["rate"])
        print({"bare": round(rates["bare"][-1], 2), **{k: round(v, 2) for k, v in done.items()}}, flush=True)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    figures |= {f"{name}_per_s": round(value, 2) for name, value in medians.items()}
    figures |= {"line_over_bare": round(medians["line"] / medians["bare"], 3), "memory_mb": memory(home)}
    if arguments.kill:
        figures["killed_and_all_succeeded_per_s"] = round(line(texts, home, arguments.threads, True)["rate"], 2)
    return figures


if __name__ == "__main__":
    main()
