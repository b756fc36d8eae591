"""`python -m bench.regrade`: a class is calibrated and graded again under its new head, from kept vectors.

The engine is the fake one: no forward pass is measured, because a regrade makes none. Prints submissions a second of
wall time and of the worker's CPU time, and how often the engine was asked meanwhile (never).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import httpx

from bench.own_stack import cpu_seconds, own_stack
from bench.tables import RESULTS, median, write
from bench.texts import texts_of
from gradeline.client import Client
from gradeline.stack import launch
from gradeline.stack.home import Home

CRITERIA = [
    {"name": name, "measures": name, "min": 0, "max": 6, "step": 1}
    for name in ("Structure", "Clarity", "Relevance", "Academic_Writing")
]
SECONDS = 600


def api(home: Home) -> httpx.Client:
    state = home.read()
    headers = {"Authorization": f"Bearer {home.key_file.read_text().strip()}"}
    return httpx.Client(base_url=state["url"], headers=headers, timeout=60)


def calibrate(http: httpx.Client, texts: list[str]) -> None:
    """A rubric whose head has 60 examples; scores follow the length of the text."""
    http.post("/v1/rubrics", json={"name": "bench", "criteria": CRITERIA}).raise_for_status()
    graded = [
        {"text": t[: 400 + 20 * n], "scores": {c["name"]: n % 7 for c in CRITERIA}} for n, t in enumerate(texts[:60])
    ]
    made = http.post("/v1/rubrics/bench/calibrations", json={"examples": graded}).raise_for_status().json()
    path = f"/v1/rubrics/bench/calibrations/{made['id']}"
    while made["state"] not in ("succeeded", "failed"):
        time.sleep(0.5)
        made = http.get(path).json()
    http.post(f"{path}/activate", params={"force": True}).raise_for_status()


def await_batch(client: Client, batch: str, total: int) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        queues = client.queues()
        if not sum(q["waiting"] + q["running"] for q in queues):
            break
        time.sleep(0.05)
    states = [job["state"] for job in client.jobs(batch=batch, limit=200)]
    if states != ["succeeded"] * total:
        raise SystemExit(f"not all succeeded: {len(states)} of {total}, {set(states)}")


def measure(home: Home, count: int, rounds: int) -> list[dict[str, Any]]:
    """Submissions a second of each round."""
    texts = texts_of(count)
    rates = []
    with api(home) as http, launch.client_of(home) as client:
        calibrate(http, texts)
        jobs = [client.submit(t, rubric="bench", priority="bulk")["id"] for t in texts]
        client.wait_for(jobs, SECONDS)
        for _ in range(rounds):
            cpu, began = cpu_seconds(home, "worker-cpu"), time.perf_counter()
            batch = http.post("/v1/rubrics/bench/regrade").raise_for_status().json()
            await_batch(client, batch["id"], count)
            wall, spent = time.perf_counter() - began, cpu_seconds(home, "worker-cpu") - cpu
            rates.append({"a second": count / wall, "a second of the worker's CPU": count / spent})
            print({name: round(rate) for name, rate in rates[-1].items()}, flush=True)
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.regrade", description=__doc__)
    parser.add_argument("--count", type=int, help="submissions [2000; quick: 200]")
    parser.add_argument("--rounds", type=int, help="[5; quick: 1]")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    count, rounds = given.count or (200 if given.quick else 2000), given.rounds or (1 if given.quick else 5)
    with own_stack(GRADELINE_ENGINE="fake") as home:
        rates = measure(home, count, rounds)
    rows = [
        {"submissions": name, "median": median(found), "lowest": min(found), "highest": max(found)}
        for name in rates[0]
        for found in [[each[name] for each in rates]]
    ]
    write("regrade", rows, given.out, {"submissions": count, "rounds": rounds})


if __name__ == "__main__":
    main()
