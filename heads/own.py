"""`gradeline heads fit` and `gradeline heads evaluate`: a head of one's own, from one's own graded essays."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from broker.settings import EMBEDDED_MODEL
from db.errors import GradelineError
from heads.embed import embed_own
from heads.graded import Graded, read_graded
from heads.measuring import compared, refuse_worse, shared_of, table_of
from heads.refit import Read, refit, refit_standing
from heads.standing import write_standing
from heads.topic import NEUTRAL, Topic, fit_topic
from worker.engine import Engine, load_engine
from worker.engine.source import EMBEDDED_REVISION
from worker.errors import ModelUnavailable
from worker.head import load_default
from worker.head.choice import choose
from worker.head.evidence import count_all
from worker.head.home import OWN, add_version, folder_of, newest
from worker.head.ridge import Head
from worker.head.store import write_head
from worker.settings import WorkerSettings

# Kappa below which a head is hardly better than chance.
POOR = 0.3


def run_fit(given: argparse.Namespace, console: Console) -> None:
    """Fits the next version and prints what was measured of it, by cross-validation."""
    graded = read_graded(given.data, given.min, given.max)
    tell(graded, console)
    settings, engine = opened(given)
    default = the_one_that_comes_along(engine)
    read = embedded(graded, engine, settings)
    pairs = read.pairs()
    taught = pairs.enough()
    topic = fit_topic(pairs) if taught else Topic(default.topic, default.centre) if default else NEUTRAL
    with console.status("fitting"):
        head, measured = refit(read, engine, topic)
        standing = refit_standing(read, engine)
    console.print(table_of(measured["agreement"], measured["coverage"], "5-fold cross-validated"))
    if default:
        measured["default"], covered = compared(default, read)
        console.print(table_of(measured["default"], covered, "the head that comes along, on the same essays"))
        refuse_worse(measured, given.force)

    def write(folder: Path, version: int) -> None:
        write_head(_numbered(head, version), folder, card_of(graded, measured, taught, engine))
        write_standing(standing, folder)

    version = add_version(settings.home, engine.model, engine.revision, write)
    kappas = [each["qwk"] for each in measured["agreement"].values() if each["qwk"] is not None]
    if not kappas or float(np.mean(kappas)) < POOR:
        console.print("It hardly agrees with your scores: more essays may help, or another model.", style="yellow")
    console.print(f"{OWN}@{version} of {engine.model} is in {folder_of(settings.home, engine.model, engine.revision)}.")
    console.print("Workers that start from now on grade with it: `gradeline down`, then `gradeline up`.")


def run_evaluate(given: argparse.Namespace, console: Console) -> None:
    """Grades the essays with the head in use and compares."""
    graded = read_graded(given.data, given.min, given.max, fewest=2)
    tell(graded, console)
    settings, engine = opened(given)
    head = choose(engine, settings).head
    shared = shared_of(head, graded)
    if shared != list(graded.criteria):
        console.print(f"{head.name}@{head.version} scores only {', '.join(shared)} of these")
    if learned_from(graded, settings, engine):
        console.print(
            "[yellow]The head was fitted on this very file: its card has the cross-validated figures.[/yellow]"
        )
    figures = compared(head, embedded(graded, engine, settings))
    console.print(table_of(*figures, f"{engine.model}, {head.name}@{head.version}"))


def the_one_that_comes_along(engine: Engine) -> Head | None:
    """The default head, if this is its encoder: the only one that has surely not learned from the essays at hand."""
    known = EMBEDDED_MODEL, EMBEDDED_REVISION
    return load_default(*known) if (engine.model, engine.revision) == known else None


def opened(given: argparse.Namespace) -> tuple[WorkerSettings, Engine]:
    """The settings of the environment with the model that was asked for, and its engine."""
    asked = {"model": given.model, "model_revision": given.revision}
    settings = WorkerSettings(**{name: value for name, value in asked.items() if value is not None})
    if settings.engine == "fake":
        raise ModelUnavailable("GRADELINE_ENGINE=fake reads no text: heads need a real engine")
    return settings, load_engine(settings)


def embedded(graded: Graded, engine: Engine, settings: WorkerSettings) -> Read:
    """The essays as a worker sees them, prompts too."""
    cache = settings.home / "heads-cache"
    prompts = sorted({p for p in graded.prompts if p})
    vectors = embed_own([*graded.texts, *prompts], cache, engine)
    own, rest = vectors[: len(graded.texts)], vectors[len(graded.texts) :]
    return Read(graded, count_all(graded.texts, graded.prompts), own, dict(zip(prompts, rest, strict=True)))


def card_of(graded: Graded, measured: dict[str, Any], taught: bool, engine: Engine) -> dict[str, Any]:
    """What stands beside the numbers."""
    return {
        "data": "a person's own graded essays",
        "data_sha256": graded.sha256,
        "essays": len(graded.texts),
        "assignments": len(np.unique(graded.groups)),
        "scale": [graded.low, graded.high],
        "engine": engine.name,
        "off_topic": "fitted on these prompts" if taught else "not fitted: too few prompts",
        "measured": measured,
    }


def learned_from(graded: Graded, settings: WorkerSettings, engine: Engine) -> bool:
    """Whether the own head in use was fitted on this very file."""
    folder = newest(settings.home, engine.model, engine.revision)
    if folder is None:
        return False
    card = json.loads((folder / f"{OWN}.json").read_text())["card"]
    return bool(card["data_sha256"] == graded.sha256)


def terminal() -> Console:
    """A console that prints names of columns as they are: they may look like its markup."""
    return Console(markup=False, emoji=False)


def tell(graded: Graded, console: Console) -> None:
    for note in graded.notes:
        console.print(note, highlight=False)


def _numbered(head: Head, version: int) -> Head:
    return replace(head, version=version)


def main() -> None:
    parser = argparse.ArgumentParser(prog="gradeline heads", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, run, about in (("fit", run_fit, "fit a head"), ("evaluate", run_evaluate, "measure the head in use")):
        each = commands.add_parser(name, help=about)
        each.add_argument("--data", type=Path, required=True)
        each.add_argument("--model")
        each.add_argument("--revision")
        each.add_argument("--min", type=float)
        each.add_argument("--max", type=float)
        each.set_defaults(run=run)
        if name == "fit":
            each.add_argument("--force", action="store_true")
    given = parser.parse_args()
    try:
        given.run(given, terminal())
    except (GradelineError, OSError) as error:
        sys.exit(f"gradeline: {error}")


if __name__ == "__main__":
    main()
