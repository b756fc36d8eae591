"""A head for a random model, fitted the way a teacher would: what it scores means nothing, what it costs is real."""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.models import kept_folder
from bench.own_stack import keep_models
from bench.texts import texts_of
from gradeline.stack.home import Home

CRITERIA = ("Structure", "Clarity", "Relevance", "Academic_Writing")
ESSAYS = 24


def fit_head(model: Path, settings: Mapping[str, str] | None = None) -> None:
    """Runs `gradeline heads fit` for a model, unless its head is kept from an earlier run with the same code."""
    done = kept_folder() / f"{model.name}.fitted"
    if done.exists():
        return
    print(f"  fitting a head for {model.name}, once", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder).resolve() / "home")
        keep_models(home)
        data = Path(folder) / "graded.csv"
        graded(data)
        command = ["heads", "fit", "--force", "--home", str(home.path), "--model", str(model), "--data", str(data)]
        program = [sys.executable, "-c", "from gradeline.cli import main; main()"]
        run = subprocess.run(
            [*program, *command], env={**os.environ, **(settings or {})}, capture_output=True, text=True, check=False
        )
        if run.returncode:
            raise SystemExit(f"no head could be fitted: {run.stdout[-500:]}{run.stderr[-1500:]}")
    done.touch()


def graded(file: Path) -> None:
    """A CSV of made texts with scores drawn by chance."""
    draw = random.Random(0)
    with file.open("w", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(["text", *CRITERIA])
        for n, text in enumerate(texts_of(ESSAYS, seed=99, words=80)):
            rows.writerow([text, *(round(min(6, max(0, n / 4 + draw.uniform(-1, 1)))) for _ in CRITERIA)])
