"""`python -m heads.sanity --data DIR`: what spoils a text must lower the right criterion, on average over many essays."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from heads.attack import Drawn, drawn, graded
from heads.attacks import SPOILS
from heads.corpora import asap
from worker.engine import Engine, load_engine
from worker.head import load_default
from worker.head.traits import CRITERIA
from worker.reading import Reader
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray


def changes(essays: Drawn, engine: Engine) -> dict[str, NDArray[np.float64]]:
    """By way of spoiling, the mean change of the four criteria and of the whole, in points of 100."""
    head = load_default(engine.model, engine.revision)
    reader = Reader(engine, head.centre)
    before = graded(essays.texts, essays.prompts, reader, head).scores
    out = {}
    for name, (change, _) in SPOILS.items():
        after = graded(essays.changed(name, change), essays.prompts, reader, head).scores
        out[name] = np.asarray((after - before).mean(axis=0))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m heads.sanity", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with asap.csv and assignments.json")
    parser.add_argument("--essays", type=int, default=100)
    parser.add_argument("--home", type=Path, default=Path(".gradeline"), help="where the exported model is kept")
    arguments = parser.parse_args()
    engine = load_engine(WorkerSettings(home=arguments.home))
    print(f"| spoiled by | {' | '.join(CRITERIA)} | overall | must fall | |\n|---|" + "---|" * 7)
    for name, mean in changes(drawn(asap(arguments.data), arguments.essays), engine).items():
        criterion = SPOILS[name][1]
        verdict = "pass" if mean[CRITERIA.index(criterion)] < 0 else "FAIL"
        print(f"| {name} | {' | '.join(f'{value:+.1f}' for value in mean)} | {criterion} | {verdict} |")


if __name__ == "__main__":
    main()
