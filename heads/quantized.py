"""What int8 costs: the same essays read by the fp32 and the int8 engine, and scored by the same heads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from heads.embed import embed, reading
from worker.engine.published import MINILM, Published, named
from worker.features.surface import surface
from worker.head.agreement import figures
from worker.head.standing import load_standing
from worker.head.store import shipped
from worker.head.teaching import Criterion, teach
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Essays of one assignment, the more the surer; a rubric is taught on each engine's own vectors, as it is in use.
ESSAYS, ASSIGNMENTS = 400, ("1", "3", "4")


def loss(data: Path, cache: Path, model: Published = MINILM) -> float:
    """Mean over assignments of the cross-validated kappa with fp32 vectors, less that with int8 vectors."""
    about = json.loads((data / "assignments.json").read_text())["asap"]
    frame = pd.read_csv(data / "asap.csv", dtype={"assignment": str})
    lost = []
    for name in ASSIGNMENTS:
        part = frame[frame.assignment == name].sample(ESSAYS, random_state=0)
        low, high = map(float, about[name]["overall"])
        kappas = [
            kappa(list(part.text), part.overall.to_numpy(float), low, high, each, cache)
            for each in engines(cache, model)
        ]
        lost.append(kappas[0] - kappas[1])
    return round(float(np.mean(lost)), 4)


def engines(cache: Path, model: Published) -> tuple[WorkerSettings, WorkerSettings]:
    """fp32, and int8 as a worker on a CPU runs it."""
    return WorkerSettings(engine="torch", precision="fp32", model=model.name, home=cache), reading(model, cache)


def kappa(
    texts: list[str], scores: NDArray[np.float64], low: float, high: float, settings: WorkerSettings, cache: Path
) -> float:
    """Kappa by five folds of a rubric that is taught on these essays as one engine reads them."""
    counted = surface(texts)
    inputs = np.hstack([embed(texts, cache, settings), counted])
    criteria = [Criterion("overall", None, low, high, 1.0, stretch=True)]
    known = named(settings.own_model) or MINILM
    standing = load_standing(known.name, known.as_read, shipped(known.name, known.as_read))
    _, predicted = teach(inputs, counted.shape[1], scores[:, None], criteria, standing)
    return float(figures(scores, low + (high - low) * predicted[:, 0], low, high, 1.0)["qwk"])
