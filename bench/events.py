"""`python -m bench.events`: what it costs that workers tell Flower of each message.

One worker with the fake engine at no service time, so that nothing but messages, claims and rows is left, with messages of one
job (what a queue without chunks would send) and with chunks; without events, with events that nobody reads, and with Flower
reading them. The three ways take turns, each in a stack of its own. Messages a second from the first claim to the last row,
and what events add to one: the part of a chunk's time that they take is that over the time that a real chunk takes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bench.hand_in import await_batch
from bench.own_stack import cpu_seconds, own_stack
from bench.rows import run_of
from bench.tables import RESULTS, median, write
from bench.texts import marked, texts_of
from gradeline.client import Client
from gradeline.stack import launch

# Whether workers send events, and whether Flower reads them.
WAYS = {"no events": (False, False), "events": (True, False), "events, Flower reads": (True, True)}
SETTINGS = {"GRADELINE_ENGINE": "fake", "GRADELINE_REUSE": "false", "GRADELINE_LOG_LEVEL": "WARNING"}
PARTS = ("worker-cpu", "valkey")
WORDS = 12


def one_round(way: str, chunk: int, messages: int, turn: str) -> dict[str, float]:
    """Milliseconds a message in all, and of CPU of worker and broker."""
    events, flower = WAYS[way]
    chunks = {"GRADELINE_CHUNK_FIRST": str(chunk), "GRADELINE_CHUNK_MOST": str(chunk)}
    told = {"GRADELINE_TASK_EVENTS": str(events).lower()}
    with own_stack(1, flower, **SETTINGS, **chunks, **told) as home, launch.client_of(home) as client:
        graded(client, 20 * chunk, "warm")
        before = {name: cpu_seconds(home, name) for name in PARTS}
        batch = graded(client, messages * chunk, turn)
        cpu = {name: 1000 * (cpu_seconds(home, name) - before[name]) / messages for name in PARTS}
        run = run_of(home, [batch])
    return {"ms a message": 1000 * run.seconds / run.calls, **{f"CPU of {name}": ms for name, ms in cpu.items()}}


def graded(client: Client, count: int, mark: str) -> str:
    """A batch of so many texts, when its last job has ended."""
    texts = marked(texts_of(count, words=WORDS), mark)
    batch = str(client.submit_batch([{"text": f"{n} {text}"} for n, text in enumerate(texts)])["id"])
    await_batch(client, batch, count)
    return batch


def measured(chunk: int, messages: int, rounds: int) -> list[dict[str, Any]]:
    """A row for each way."""
    told: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for turn in range(rounds):
        for way, each in told.items():
            each.append(one_round(way, chunk, messages, f"{chunk}-{turn}"))
            print({"chunk": chunk, "way": way, **{name: round(ms, 3) for name, ms in each[-1].items()}}, flush=True)
    middle = {way: {name: median([one[name] for one in each]) for name in each[0]} for way, each in told.items()}
    return [row(chunk, way, ms, middle["no events"]["ms a message"]) for way, ms in middle.items()]


def row(chunk: int, way: str, ms: dict[str, float], least: float) -> dict[str, Any]:
    rate = 1000 / ms["ms a message"]
    return {
        "jobs a message": chunk, "way": way, "messages/s": rate, "jobs/s": rate * chunk, **ms,
        "more ms a message": ms["ms a message"] - least,
    }  # fmt: skip


def draw(axes: Any, rows: Any) -> None:
    axes.barh([f"{row['way']}, {row['jobs a message']} a message" for row in rows][::-1],
              [row["ms a message"] for row in rows][::-1])  # fmt: skip
    axes.set_xlabel("milliseconds a message")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.events", description=__doc__)
    parser.add_argument("--chunks", type=int, nargs="+", default=[1, 64], help="jobs a message [1 64]")
    parser.add_argument(
        "--messages", type=int, nargs="+", help="of each round, for each of --chunks [800 150; quick: 50]"
    )
    parser.add_argument("--rounds", type=int, help="[5; quick: 1]")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    rounds = given.rounds or (1 if given.quick else 5)
    counts = given.messages or ([50] * len(given.chunks) if given.quick else [800, 150])
    if len(counts) != len(given.chunks):
        parser.error("--messages needs a number for each of --chunks")
    rows = [row for chunk, count in zip(given.chunks, counts, strict=True) for row in measured(chunk, count, rounds)]
    write("events", rows, given.out, {"rounds": rounds, "words": WORDS, "messages": counts}, draw)


if __name__ == "__main__":
    main()
