"""`python -m bench.roofline`: what share of this machine's matrix products each engine reaches.

Ceilings (bench.ceilings) and engines take turns in every round, so that whatever else the machine does meets all alike;
medians are shown. Operations are counted by formula, window by window (bench.models.flop_of); an engine's share is of
the ceiling of its own precision on as many threads.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import ceilings
from bench.models import SPECIAL, flop_of, folder_of
from bench.tables import RESULTS, median, write
from worker.engine import Engine, load_engine
from worker.settings import WorkerSettings

Row = dict[str, Any]

LENGTHS, BATCHES = (128, 350, 512), (1, 8)
ENGINES = {"openvino": "auto", "onnx": "auto", "torch": "fp32", "torch bf16": "bf16"}
MODELS = ("minilm", "distilbert")
# Each is one token of the vocabulary of BERT, which both models use.
WORDS = (
    "the school a phone town library people because time book every child work house year small water good day light"
)
SECONDS = 0.4


@dataclass(frozen=True)
class Cell:
    """An engine that reads texts of one length, so many in a call."""

    model: str
    name: str
    engine: Engine
    tokens: int
    batch: int

    def rate(self) -> float:
        """Texts a second."""
        texts = [text_of(self.tokens, seed) for seed in range(self.batch)]
        done, began = 0, time.perf_counter()
        while (spent := time.perf_counter() - began) < SECONDS:
            self.engine.encode(texts)
            done += self.batch
        return done / spent

    def row(self, texts_per_s: float, limits: dict[str, float]) -> Row:
        reached = texts_per_s * flop_of(self.model, [self.tokens - SPECIAL]) / 1e9
        share = reached / limits[self.name.rsplit("-", 1)[1]]
        head = {"model": self.model, "engine": self.name, "tokens": self.tokens, "batch": self.batch}
        return head | {"texts_per_s": round(texts_per_s, 1), "gop_per_s": round(reached), "share": round(share, 2)}


def text_of(tokens: int, seed: int) -> str:
    """A text that is so many tokens long, the two special ones of BERT included."""
    return " ".join(random.Random(seed).choices(WORDS.split(), k=tokens - SPECIAL))


def cells(out: Path, threads: int, engines: list[str]) -> list[Cell]:
    """Every engine on both models, loaded and warm."""
    made = []
    for model in MODELS:
        folder = "" if model == "minilm" else str(folder_of(model))
        for name in engines:
            settings = WorkerSettings(
                home=out, model=folder, engine=name.split()[0], precision=ENGINES[name], threads=threads
            )
            engine = load_engine(settings)
            made += [Cell(model, engine.name, engine, tokens, batch) for tokens in LENGTHS for batch in BATCHES]
    return made


def measure(found: list[Cell], threads: int, rounds: int) -> tuple[list[Row], list[Row]]:
    """Ceilings for one thread and for all, and the engines, in turns."""
    ways = {(n, *way): made for n in sorted({1, threads}) for way, made in ceilings.ways(n).items()}
    rates: dict[Any, list[float]] = defaultdict(list)
    for n in range(rounds + 1):  # the first round warms up
        for way, made in ways.items():
            rates[way].append(ceilings.rate(*made))
        for cell in found:
            rates[cell].append(cell.rate())
        print(f"round {n} of {rounds}", flush=True)
    medians = {key: median(values[1:]) for key, values in rates.items()}
    tops = [
        {"threads": n, "precision": p, "gop_per_s": round(medians[n, p, how]), "measured_by": how} for n, p, how in ways
    ]
    limits = {p: max(medians[n, q, how] for n, q, how in ways if (n, q) == (threads, p)) for _, p, _ in ways}
    return tops, [cell.row(medians[cell], limits) for cell in found]


def draw(axes: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """The share by length, of the largest batch."""
    for model, style in zip(MODELS, ("-", "--"), strict=True):
        for n, engine in enumerate(dict.fromkeys(row["engine"] for row in rows)):
            kept = [r for r in rows if (r["model"], r["engine"], r["batch"]) == (model, engine, BATCHES[-1])]
            axes.plot([r["tokens"] for r in kept], [r["share"] for r in kept], style, color=f"C{n}", marker="o",
                      label=f"{engine}, {model}")  # fmt: skip
    axes.set(xlabel=f"tokens of a text, {BATCHES[-1]} texts a call", ylabel="share of the ceiling", xticks=LENGTHS)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.roofline", description=__doc__)
    parser.add_argument("--rounds", type=int, help="[5; quick: 1]")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 5)
    found = cells(arguments.out, arguments.threads, arguments.engines)
    tops, rows = measure(found, arguments.threads, arguments.rounds)
    write("ceilings", tops, arguments.out)
    write("roofline", rows, arguments.out, {"threads": arguments.threads, "rounds": arguments.rounds}, draw)


if __name__ == "__main__":
    main()
