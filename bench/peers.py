"""`python -m bench.peers`: the same model and texts behind other servers, beside Gradeline end to end, in one run.

(a) Flask with a `transformers` pipeline, one text a request, as a first service does it, behind gunicorn with 8 threads;
(b) LitServe with its own batching, with torch fp32, its usual engine, and with the engine of Gradeline's workers.
Every server has one process that computes, with all cores; all are up during the whole run, and take turns, in which the
other peers are stopped (two LitServes that nobody asks take an eighth of a core; Gradeline's processes, which go on, a
fiftieth). Peers are asked by several callers, one text each; Gradeline gets the same texts from as many callers, and as one
batch.

What is compared is not the same service. Peers return a few numbers and keep nothing: a request that is under way when a
process dies is lost. Gradeline stores text, scores with intervals, remarks and timings before a job counts as done here.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.hand_in import one_batch, single_jobs
from bench.line import MODELS, settings_of
from bench.models import folder_of
from bench.own_stack import own_stack
from bench.peer.served import Served
from bench.sending import Sender, closed_loop
from bench.tables import RESULTS, median, times, write
from bench.texts import WORDS
from bench.turns import Way, take_turns

BATCH, SINGLE = "Gradeline, one batch", "Gradeline, single jobs"
FLASK, LITSERVE = "Flask + pipeline", ("LitServe", "LitServe, our engine")
LEFT_OUT = {
    "BentoML": "left out: its dependency kantoku writes over the module circus, on which Gradeline's supervisor stands"
}


def ways_of(model: str, threads: int, left: contextlib.ExitStack) -> tuple[dict[str, Way], dict[str, str]]:
    """Everything that is compared, started; and what is not, with the reason."""
    settings, missing = settings_of(model), dict(LEFT_OUT)
    home = left.enter_context(own_stack(1, **settings))
    logs = Path(left.enter_context(tempfile.TemporaryDirectory()))
    names = [FLASK, *LITSERVE]
    if find_spec("litserve") is None:
        names = [FLASK]
        missing |= dict.fromkeys(LITSERVE, "left out: not installed (pip install 'gradeline[bench]')")
    ways: dict[str, Way] = {
        BATCH: lambda texts: one_batch(home, texts).per_s,
        SINGLE: lambda texts: single_jobs(home, texts, threads).per_s,
    }
    for name in names:
        print(f"  starting {name}", flush=True)
        served = Served(name, folder_of(model), {**settings, "GRADELINE_HOME": str(home.path)}, logs / "peer.log")
        ways[name] = asked(left.enter_context(served), threads)
    return ways, missing


def asked(served: Served, threads: int) -> Way:
    """Texts a second of a peer, by several callers."""
    sender = Sender(served.url)

    def way(texts: list[str]) -> float:
        with served.awake():
            answers, seconds = closed_loop(lambda text: sender.send("POST", "/grade", {"text": text}), texts, threads)
        assert all(len(answer["scores"]) == 4 for answer in answers)
        return len(texts) / seconds

    return way


def measure(model: str, given: argparse.Namespace) -> None:
    """One run and its table."""
    with contextlib.ExitStack() as left:
        ways, missing = ways_of(model, given.threads, left)
        rates = take_turns(ways, given.count, given.rounds, short=8)
    more = {"model": model, "texts": given.count, "words": WORDS, "rounds": given.rounds, "threads": given.threads}
    write(f"peers-{model}", rows_of(rates, missing), given.out, {**more, "each_round": rates}, draw)


def rows_of(rates: dict[str, list[float]], missing: dict[str, str]) -> list[dict[str, Any]]:
    """A row for each server: its median, and how many times as fast Gradeline was in the same rounds."""
    rows: list[dict[str, Any]] = [
        {"server": name, "texts/s": median(each), "lowest": min(each), "highest": max(each),
         "Gradeline (batch) is x": times(rates[BATCH], each), "Gradeline (single) is x": times(rates[SINGLE], each)}
        for name, each in rates.items()
    ]  # fmt: skip
    return [*rows, *({**dict.fromkeys(rows[0], ""), "server": f"{name}: {why}"} for name, why in missing.items())]


def draw(axes: Any, rows: Any) -> None:
    shown = [row for row in rows if row["texts/s"]]
    bars = axes.barh([row["server"] for row in shown], [row["texts/s"] for row in shown])
    axes.bar_label(bars, [f"{row['texts/s']:.1f}" for row in shown], padding=3)
    axes.set_xlabel("texts a second")
    axes.invert_yaxis()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--model", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--count", type=int, help="texts a turn [240; quick: 16]")
    parser.add_argument("--rounds", type=int, help="[5; quick: 1]")
    parser.add_argument("--threads", type=int, default=16, help="callers, each with one text at a time")
    parser.add_argument("--quick", action="store_true", help="small sizes, the default model alone")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    given.count, given.rounds = given.count or (16 if given.quick else 240), given.rounds or (1 if given.quick else 5)
    for model in given.model[:1] if given.quick and given.model == list(MODELS) else given.model:
        measure(model, given)


if __name__ == "__main__":
    main()
