"""`python -m bench.line`: the whole line (HTTP in, row out) against the bare engine on the same texts, in one run.

For each model it starts a stack of its own and, in a process of its own, the bare engine; then they take turns on the same
texts: the bare engine while the stack is idle, the texts as one batch (the way a class comes), and as single jobs from
several callers. Nothing is used again: GRADELINE_REUSE is off, and every turn's texts differ by their first word. A random
model has a head that `gradeline heads fit` made. With --kill, worker child, worker and broker are killed during one more
turn, and every job must still succeed.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import threading
import time
from pathlib import Path
from typing import Any

from bench.bare import Bare
from bench.hand_in import Passage, one_batch, single_jobs
from bench.models import folder_of
from bench.own_head import fit_head
from bench.own_stack import memory, own_stack, start
from bench.tables import RESULTS, median, times, write
from bench.texts import WORDS, marked, texts_of
from bench.turns import Rounds, Way, take_turns
from gradeline.stack import launch
from gradeline.stack.home import Home
from worker.engine.published import MPNET

MODELS = ("minilm", "distilbert")
# Needs the extra `mpnet`, or a hub.
LARGER = "mpnet"
NAMES = {"bare": "bare engine", "batch": "line, one batch", "single": "line, single jobs"}


def settings_of(model: str) -> dict[str, str]:
    """The environment of a stack and of a bare engine with this model; a random one has a head afterwards."""
    if model == "minilm":
        return {"GRADELINE_REUSE": "false"}
    if model == LARGER:
        return {"GRADELINE_REUSE": "false", "GRADELINE_MODEL": MPNET.name}
    folder = folder_of(model)
    fit_head(folder)
    return {"GRADELINE_REUSE": "false", "GRADELINE_MODEL": str(folder)}


def compared(home: Home, bare: Bare, given: argparse.Namespace) -> Rounds:
    """Texts a second of the engine alone, of one batch, and of single jobs."""
    ways: dict[str, Way] = {
        "bare": bare.rate,
        "batch": lambda texts: one_batch(home, texts).per_s,
        "single": lambda texts: single_jobs(home, texts, given.threads).per_s,
    }
    return take_turns(ways, given.count, given.rounds, short=16)


def idle(home: Home, count: int) -> dict[str, float]:
    """Medians on an idle stack, in milliseconds: POST, and from POST to the finished job."""
    posts, whole = [], []
    with launch.client_of(home) as client:
        for text in texts_of(count, seed=1000):
            began = time.perf_counter()
            job = client.submit(text)
            posts.append((time.perf_counter() - began) * 1000)
            client.get(job["id"], wait=20)
            whole.append((time.perf_counter() - began) * 1000)
    return {"POST, idle (ms)": statistics.median(posts), "POST to finished, idle (ms)": statistics.median(whole)}


def killed(home: Home, texts: list[str]) -> Passage:
    """The way of the texts while worker child, worker and broker are killed, two seconds apart."""
    thread = threading.Thread(target=kill_everything, args=(home,))
    thread.start()
    passage = one_batch(home, texts)
    thread.join()
    return passage


def kill_everything(home: Home) -> None:
    with launch.client_of(home) as client:
        victims = [client.workers()[0]["children"][0]["pid"]]
    victims += [launch.processes(home)[name][0] for name in ("worker-cpu", "valkey")]
    for pid in victims:
        time.sleep(2)
        os.kill(pid, signal.SIGKILL)


def restart(home: Home, settings: dict[str, str]) -> float:
    """Seconds of `gradeline up` on a home that has been up before."""
    launch.down(home)
    return start(home, 1, settings)


def measure(model: str, given: argparse.Namespace) -> None:
    """One run: its tables, and what they were measured on."""
    settings = settings_of(model)
    with own_stack(1, **settings) as home:
        ready = restart(home, settings)
        with Bare(home.path, settings) as bare:
            rates, about = compared(home, bare, given), bare.about
        worker, api = memory(home, "worker-cpu"), memory(home, "api")
        sizes: dict[str, Any] = {"stack ready (s)": ready, "engine ready, models cached (s)": about["load_s"]}
        for name, part in (("worker", worker), ("API", api)):
            sizes |= {f"{name}, largest process (MB)": part["largest_rss_mb"], f"{name}, all (MB)": part["all_pss_mb"]}
        sizes |= idle(home, 10 if given.quick else 30)
        if given.kill:
            sizes["texts/s while three are killed"] = killed(home, marked(texts_of(given.count), "killed")).per_s
    engine = f"{model}, {about['engine']}"
    tell(model, engine, rates, sizes, given)


def tell(model: str, engine: str, rates: Rounds, sizes: dict[str, Any], given: argparse.Namespace) -> None:
    rows = [
        {"way": label, "engine": engine, "texts/s": median(rates[name]), "lowest": min(rates[name]),
         "highest": max(rates[name]), "of bare": times(rates[name], rates["bare"])}
        for name, label in NAMES.items()
    ]  # fmt: skip
    more = {"texts": given.count, "words": WORDS, "rounds": given.rounds, "threads": given.threads, "each_round": rates}
    write(f"line-{model}", rows, given.out, more, draw)
    write(f"line-{model}-sizes", [{"what": what, "value": value} for what, value in sizes.items()], given.out, more)


def draw(axes: Any, rows: Any) -> None:
    bars = axes.barh([row["way"] for row in rows], [row["texts/s"] for row in rows])
    axes.bar_label(bars, [f"{row['texts/s']:.1f}" for row in rows], padding=3)
    axes.set_xlabel("texts a second")
    axes.invert_yaxis()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.line", description=__doc__)
    parser.add_argument("--model", nargs="+", choices=(*MODELS, LARGER), default=list(MODELS))
    parser.add_argument("--count", type=int, help="texts a turn [400; quick: 24]")
    parser.add_argument("--rounds", type=int, help="[5; quick: 2]")
    parser.add_argument("--threads", type=int, default=8, help="callers of single jobs")
    parser.add_argument("--kill", action="store_true", help="one more turn in which processes are killed")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, the default model alone: does it run at all?"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    given.count, given.rounds = given.count or (24 if given.quick else 400), given.rounds or (2 if given.quick else 5)
    for model in given.model[:1] if given.quick and given.model == list(MODELS) else given.model:
        measure(model, given)


if __name__ == "__main__":
    main()
