"""`python -m bench.gpu`: models of three sizes on a CUDA device, bare and end to end, in one run.

Random weights; texts of lognormal length about 350 words. In turns: the ceiling (a large bf16 matrix product); the forward
passes alone, of texts that are tokenized already; the bare engine, from texts to vectors, which tokenizes on all cores while
the device computes; and the line with PostgreSQL and Valkey from the wheels: batches for GPU queues over HTTP, until the last
row. The share is that of the ceiling which the forward passes reach by the formula of bench/models.py, which leaves out
normalisation, softmax and DeBERTa's products with positions. `--device cpu` is for trying the script without a GPU.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.hand_in import many_batches
from bench.models import flop_of, folder_of
from bench.own_head import fit_head
from bench.own_stack import environment, memory, own_stack
from bench.tables import RESULTS, median, write
from bench.texts import marked, mixed_texts

if TYPE_CHECKING:
    from worker.engine.torch import TorchEngine

# Texts a turn: a few seconds of an H100 each. The forward passes alone take a part of them.
COUNTS = {"distilbert": 20_480, "deberta": 4096, "dialogpt": 5120}
PART = 4
CHUNK = 256
CLASS = 512  # texts a batch
CALLERS = 4


def ceiling(device: str, side: int, repeats: int) -> float:
    """Operations a second of a bf16 matrix product of side x side."""
    import torch

    left, right = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    left @ right
    _wait(device)
    began = time.perf_counter()
    for _ in range(repeats):
        left @ right
    _wait(device)
    return 2.0 * side**3 * repeats / (time.perf_counter() - began)


def _wait(device: str) -> None:
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def forward(engine: TorchEngine, texts: list[str]) -> tuple[float, list[int]]:
    """Seconds of the forward passes of texts that are cut and padded before, a chunk at a time; and the texts' tokens."""
    from worker.engine.base import Reading

    batches, lengths = [], []
    for start in range(0, len(texts), CHUNK):
        reading = Reading(texts[start : start + CHUNK], engine.tokens, engine.group, 0, 1)
        batches += list(reading.inputs())
        lengths += reading.lengths.tolist()
    began = time.perf_counter()
    for _ in engine.forward(batches):
        pass
    return time.perf_counter() - began, lengths


def bare(engine: TorchEngine, texts: list[str]) -> float:
    """Seconds from texts to vectors. As in a worker, a chunk begins while the one before is computed."""
    began, before = time.perf_counter(), None
    for start in range(0, len(texts), CHUNK):
        rest = engine.begin(texts[start : start + CHUNK])
        if before is not None:
            before()
        before = rest
    if before is not None:
        before()
    return time.perf_counter() - began


def settings_of(model: str, given: argparse.Namespace) -> dict[str, str]:
    """The environment of the stack and of the bare engine; the model has a head afterwards."""
    folder = folder_of(model)
    own = {"GRADELINE_ENGINE": "torch", "GRADELINE_DEVICE": given.device}
    fit_head(folder, own)
    children = {"GRADELINE_CHILDREN": str(given.children)} if given.children else {}
    return {**own, **children, "GRADELINE_MODEL": str(folder), "GRADELINE_REUSE": "false"}


def engine_of(settings: dict[str, str]) -> TorchEngine:
    from worker.engine import threads_of
    from worker.engine.source import find_source
    from worker.engine.torch import TorchEngine
    from worker.settings import WorkerSettings

    with environment(settings):
        known = WorkerSettings()
    return TorchEngine(find_source(known), known, threads=threads_of(known))


def measure(model: str, given: argparse.Namespace) -> dict[str, Any]:
    """The row of a model: medians of its rounds."""
    settings, rounds = settings_of(model, given), []
    count = given.count or COUNTS[model]
    device = "gpu" if given.device == "cuda" else "any"
    with own_stack(1, **settings) as home:
        engine = engine_of(settings)

        def line(texts: list[str]) -> float:
            return many_batches(home, texts, CLASS, CALLERS, device=device).seconds

        for turn in range(given.rounds + 1):  # the first is short, and not counted
            texts = mixed_texts(count if turn else max(1, count // 4), seed=turn)
            rounds.append(one_round(model, engine, texts, line, given))
            print({"model": model, "round": turn, **{k: round(v, 3) for k, v in rounds[-1].items()}}, flush=True)
        held = memory(home, "worker-cpu")
    figures = {k: median([each[k] for each in rounds[1:]]) for k in rounds[0]}
    return {"model": model, "engine": engine.name, **figures, "child RSS (MB)": held["largest_rss_mb"]}


def one_round(
    model: str, engine: TorchEngine, texts: list[str], line: Callable[[list[str]], float], given: argparse.Namespace
) -> dict[str, float]:
    """What one round says. Tera-operations a second, and texts a second."""
    top = ceiling(given.device, given.side, given.repeats)
    part = texts[: max(1, len(texts) // PART)]
    forward_s, lengths = forward(engine, part)
    reached = flop_of(model, lengths) / forward_s
    bare_s, line_s = bare(engine, texts), line(marked(texts, "line"))
    return {
        "ceiling (TFLOP/s)": top / 1e12, "forward (TFLOP/s)": reached / 1e12, "share": reached / top,
        "forward (texts/s)": len(part) / forward_s, "bare (texts/s)": len(texts) / bare_s,
        "line (texts/s)": len(texts) / line_s, "line / bare": bare_s / line_s,
    }  # fmt: skip


def device_name(device: str) -> str | None:
    """The device's name; None when it is not here."""
    import torch

    if device == "cpu":
        return "cpu"
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def software() -> str:
    """What computes on the device: speeds differ by these."""
    import torch
    import transformers

    python = platform.python_version()
    return f"torch {torch.__version__}, transformers {transformers.__version__}, Python {python}"


def draw(axes: Any, rows: Any) -> None:
    ways = ("forward (texts/s)", "bare (texts/s)", "line (texts/s)")
    for k, way in enumerate(ways):
        axes.bar([n + 0.27 * (k - 1) for n in range(len(rows))], [row[way] for row in rows], 0.27, label=way)
    axes.set_xticks(range(len(rows)), [row["model"] for row in rows])
    axes.set_ylabel("texts a second")
    axes.legend()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    parser.add_argument("--model", nargs="+", choices=tuple(COUNTS), help="[all; quick: distilbert]")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--children", type=int, default=0, help="of the worker [its own choice]")
    parser.add_argument("--count", type=int, help="texts a turn [by model; quick: 512; on a CPU: 8]")
    parser.add_argument("--rounds", type=int, help="[5; quick: 1]")
    parser.add_argument("--side", type=int, help="of the matrices [8192; on a CPU: 1024]")
    parser.add_argument("--repeats", type=int, default=20, help="matrix products a round")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    name = device_name(given.device)
    if name is None:
        print("no CUDA device here")
        return
    cpu = given.device == "cpu"
    given.model = given.model or (["distilbert"] if given.quick else list(COUNTS))
    given.count = given.count or (8 if cpu else 512 if given.quick else None)
    given.rounds, given.side = given.rounds or (1 if given.quick else 5), given.side or (1024 if cpu else 8192)
    rows = [measure(model, given) for model in given.model]
    texts = ", ".join(str(given.count or COUNTS[model]) for model in given.model)
    more = {"device": name, "software": software(), "texts": texts, "rounds": given.rounds, "side": given.side}
    write("gpu", rows, given.out, more, draw)


if __name__ == "__main__":
    main()
