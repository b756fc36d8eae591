"""`python -m heads.over_http --data DIR`: what taught heads reach as a client sees it, to hold beside `heads.evaluate`.

Each assignment of ASAP gets a stack of its own, whose standing head was fitted without that assignment; ELLIPSE, one whose
was fitted without ELLIPSE. Essays are sent, rubrics taught and scores read, all by HTTP.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from bench.own_stack import own_stack
from gradeline.client import Client
from gradeline.stack import launch
from gradeline.stack.home import Home
from heads.corpora import ELLIPSE_COLUMNS, asap, ellipse
from heads.evaluate import DRAWS, inputs_of, row, show, standing_without
from heads.school_class import Class, TaughtRubric, asap_class
from heads.standing import write_standing
from worker.engine.published import MINILM, PUBLISHED, Published, named
from worker.head.home import OWN, add_version
from worker.head.standing import Standing
from worker.head.store import load_default, write_head
from worker.head.teaching import FOLDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Found = dict[str, list[float]]

FEW = (20, 50)
WHOLE, TRAITS, COHORT, INSIDE = "overall", "traits", "cohort", "inside"
LABELS = {
    WHOLE: ("ASAP overall, in-prompt, 5-fold: QWK", 0.80, None),
    TRAITS: ("ASAP++ traits, in-prompt, 5-fold: QWK", 0.735, None),
    COHORT: ("unseen assignment, cohort baseline, traits: QWK", 0.60, None),
    "20": ("the same + 20 graded, traits: QWK", 0.65, None),
    "50": ("the same + 50 graded, traits: QWK", 0.68, None),
    INSIDE: ("90 % intervals, in-prompt, mean coverage", 0.88, 0.92),
}


@contextmanager
def stack(standing: Standing, model: Published) -> Iterator[Client]:
    """A stack whose worker begins calibrations with this standing head, beside a copy of the default head."""

    def write(folder: Path, version: int) -> None:
        head = replace(load_default(model.name, model.as_read), name=OWN, version=version)
        write_head(head, folder, {"data": "the default head; the standing head beside it has not seen one assignment"})
        write_standing(replace(standing, half_widths=np.ones(len(standing.bias))), folder)

    def prepare(home: Home) -> None:
        add_version(home.path, model.name, model.as_read, write)

    settings = {} if model is MINILM else {"GRADELINE_MODEL": model.name}
    with own_stack(1, False, prepare, **settings) as home, launch.client_of(home) as client:
        yield client


def in_prompt(client: Client, name: str, of: Class, prompt: str) -> tuple[list[float], list[float]]:
    """Kappas of scores by a rubric that was taught by the other folds, and the share of people's inside the intervals."""
    rubric = TaughtRubric(client, name, of, prompt)
    machine, inside = np.zeros(of.scores.shape), np.zeros(of.scores.shape)
    for train, test in KFold(FOLDS, shuffle=True, random_state=0).split(of.texts):
        rubric.teach(train)
        machine[test], interval = rubric.read(rubric.grade(test), test)
        inside[test] = np.abs(of.scores[test] - interval.mean(axis=2)) <= np.ptp(interval, axis=2) / 2 + 1e-9
    return of.kappas(np.arange(len(machine)), machine), [float(share) for share in inside.mean(axis=0)]


def unseen(client: Client, name: str, of: Class, prompt: str, draws: int) -> Found:
    """Kappas with the whole class as a cohort, and with some of it graded; measured on the rest, graded again each time."""
    rubric, everybody = TaughtRubric(client, name, of, prompt), np.arange(len(of.texts))
    cohort = {"cohort": {"batch": rubric.grade(everybody)}}
    rubric.teach(everybody[:0], **cohort)
    found: Found = {COHORT: of.kappas(everybody, rubric.read(rubric.regrade(), everybody)[0])}
    for graded in FEW:
        tries = []
        for draw in range(draws):
            chosen = np.random.default_rng(draw).choice(len(everybody), graded, replace=False)
            rubric.teach(chosen, **cohort)
            rest = np.setdiff1d(everybody, chosen)
            tries.append(of.kappas(rest, rubric.read(rubric.regrade(), rest)[0]))
        found[str(graded)] = [float(each) for each in np.mean(tries, axis=0)]
    return found


def assignment(data: Path, name: str, standing: Standing, model: Published, draws: int) -> Found:
    """All of one assignment of ASAP."""
    (whole, prompt), (traits, _) = asap_class(data, name, True), asap_class(data, name, False)
    with stack(standing, model) as client:
        over, inside = in_prompt(client, f"asap-{name}-overall", whole, prompt)
        each, inside_each = in_prompt(client, f"asap-{name}-traits", traits, prompt)
        few = unseen(client, f"asap-{name}", traits, prompt, draws)
    return {WHOLE: over, TRAITS: each, INSIDE: [*inside, *inside_each], **few}


def ellipse_error(data: Path, standing: Standing, model: Published) -> float:
    """MCRMSE of the test essays, taught by the training ones; a scale without steps, as heads.evaluate has it."""
    parts = [pd.read_csv(data / file) for file in ("ellipse_train.csv", "ellipse.csv")]
    texts, count = [text for part in parts for text in part.text], len(parts[0])
    criteria = [{"name": c, "min": 1, "max": 5, "measures": c} for c in ELLIPSE_COLUMNS]
    scores = np.concatenate([part[ELLIPSE_COLUMNS].to_numpy(float) for part in parts])
    test = np.arange(count, len(texts))
    with stack(standing, model) as client:
        rubric = TaughtRubric(client, "ellipse", Class(texts, criteria, scores))
        rubric.teach(np.arange(count))
        machine = rubric.read(rubric.grade(test), test)[0]
    return float(np.sqrt(((machine - scores[test]) ** 2).mean(axis=0)).mean())


def table_of(found: Sequence[Found], error: float | None) -> list[dict[str, Any]]:
    """Rows as heads.evaluate shows them; each a mean over all criteria of all assignments."""
    rows = []
    for key, (label, least, most) in LABELS.items():
        if values := [value for each in found for value in each[key]]:
            rows.append(row(label, round(float(np.mean(values)), 4), least, most))
    if error is not None:
        rows.append(row("ELLIPSE, six traits, test essays: MCRMSE", round(error, 4), None, 0.48))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m heads.over_http", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with asap.csv, assignments.json, ellipse*.csv")
    parser.add_argument("--cache", type=Path, default=Path(".gradeline/heads-cache"), help="where embeddings are kept")
    parser.add_argument("--model", choices=[each.name for each in PUBLISHED], default=MINILM.name, help="the encoder")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="assignments of ASAP by number, and `ellipse` [all]")
    parser.add_argument("--draws", type=int, default=DRAWS, help=f"of graded essays [{DRAWS}]")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    run(parser.parse_args())


def run(given: argparse.Namespace) -> None:
    began, data, model = time.monotonic(), given.data, named(given.model) or MINILM
    corpus = asap(data) + ellipse(data, "ellipse_train.csv")
    inputs = inputs_of(corpus.texts, given.cache, model)
    names = given.only or [group.removeprefix("asap-") for group in np.unique(corpus.groups)]
    found: dict[str, Found] = {}
    error = None
    for name in names:
        group = name if name == "ellipse" else f"asap-{name}"
        standing = standing_without(group, corpus, inputs, model)
        if name == "ellipse":
            error = ellipse_error(data, standing, model)
        else:
            found[name] = assignment(data, name, standing, model, given.draws)
        print(f"{name} {json.dumps(found.get(name, error))} {time.monotonic() - began:.0f} s", flush=True)
    rows = table_of(list(found.values()), error)
    show(rows)
    if given.out:
        given.out.write_text(json.dumps({"rows": rows, "by_assignment": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
