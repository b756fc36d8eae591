"""`python -m heads.attack --data DIR`: what cheating does to scores, and how often an advisory notices it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from heads.attacks import ATTACKS, GUARDED, Change
from heads.corpora import Corpus, asap
from worker.advisories import advise
from worker.engine import Engine, load_engine
from worker.head import Head, load_default
from worker.head.traits import CRITERIA
from worker.reading import Reader
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

GOAL = 5.0  # points of 100 that an unnoticed attack may win
# How long a text is, is a fact and no alarm.
FACTS = {"too_short", "too_long"}


@dataclass(frozen=True)
class Graded:
    """Scores of n texts from 0 to 100, the four criteria and the whole, and whether an advisory speaks of each."""

    scores: NDArray[np.float64]  # (n, 5)
    noticed: NDArray[np.bool_]  # (n,)


@dataclass(frozen=True)
class Drawn:
    """Essays with their prompts, each beside an essay of another assignment."""

    texts: list[str]
    prompts: list[str]
    others: list[str]

    def changed(self, name: str, change: Change) -> list[str]:
        each = zip(self.texts, self.prompts, self.others, strict=True)
        return [change(Random(f"{name} {n}"), *three) for n, three in enumerate(each)]


def drawn(corpus: Corpus, n: int, seed: int = 0) -> Drawn:
    """n essays of all assignments alike."""
    draw = np.random.default_rng(seed)
    names = np.unique(corpus.groups)
    rows = [int(draw.choice(np.flatnonzero(corpus.groups == names[k % len(names)]))) for k in range(n)]
    others = [int(draw.choice(np.flatnonzero(corpus.groups != corpus.groups[row]))) for row in rows]
    prompts = [corpus.prompts[row] or "" for row in rows]
    return Drawn([corpus.texts[row] for row in rows], prompts, [corpus.texts[row] for row in others])


def graded(texts: Sequence[str], prompts: Sequence[str], reader: Reader, head: Head) -> Graded:
    """By the head that comes along."""
    evidence = reader.look(texts, prompts)
    done, topic = head.predict(evidence), head.on_topic(evidence)
    noticed = [
        bool({a["code"] for a in advise(t, int(evidence.words[n]), p, float(topic[n]), evidence.surface[n])} - FACTS)
        for n, (t, p) in enumerate(zip(texts, prompts, strict=True))
    ]
    return Graded(100 * np.c_[done.scores, done.overall], np.array(noticed))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m heads.attack", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with asap.csv and assignments.json")
    parser.add_argument("--essays", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="draws the essays")
    parser.add_argument("--home", type=Path, default=Path(".gradeline"), help="where the exported model is kept")
    arguments = parser.parse_args()
    engine = load_engine(WorkerSettings(home=arguments.home))
    report(drawn(asap(arguments.data), arguments.essays, arguments.seed), engine)


def report(essays: Drawn, engine: Engine) -> None:
    """Prints the table, then whether the goal is met."""
    head = load_default(engine.model, engine.revision)
    reader = Reader(engine, head.centre)
    before = graded(essays.texts, essays.prompts, reader, head)
    print(f"| attack | {' | '.join(CRITERIA)} | overall | noticed | overall, unnoticed | worst unnoticed |")
    print("|---|" + "---|" * 8)
    verdicts = []
    for name, change in ATTACKS.items():
        after = graded(essays.changed(name, change), essays.prompts, reader, head)
        rise = after.scores - before.scores
        missed = ~after.noticed
        mean = f"{rise[missed, -1].mean():+.1f}" if missed.any() else "-"
        worst = float(rise[missed].max()) if missed.any() else 0.0
        row = " | ".join(f"{value:+.1f}" for value in rise.mean(axis=0))
        print(f"| {name} | {row} | {after.noticed.mean():.0%} | {mean} | {worst:+.1f} |")
        if name in GUARDED:
            over = int((rise[missed].max(axis=1) > GOAL).sum()) if missed.any() else 0
            verdicts.append((name, worst, over))
    print(f"noticed without any attack: {before.noticed.mean():.0%}")
    for name, worst, over in verdicts:
        print(
            f"{'pass' if worst <= GOAL else 'FAIL'}: {name} wins at most {worst:+.1f} unnoticed; {over} over {GOAL:g}"
        )


if __name__ == "__main__":
    main()
