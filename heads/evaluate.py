"""`python -m heads.evaluate --data DIR`: one table of what the heads reach on essays that they have not seen.

Standing heads leave out the assignment that they are measured on, folds and draws are seeded, and everything that is
tuned is tuned inside the training folds (worker/head/teaching.py). The default head's figures stand in its card, which
`python -m heads.fit` writes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track
from rich.table import Table

from heads.corpora import ELLIPSE_COLUMNS, Corpus, asap, ellipse
from heads.embed import embed, reading
from heads.measures import Assignment, coverage, few_shot, in_prompt, standardised_difference
from heads.quantized import loss
from heads.standing import fit_standing
from worker.engine.published import MINILM, PUBLISHED, Published, named
from worker.features.surface import surface
from worker.head.standing import Standing
from worker.head.store import shipped
from worker.head.teaching import Criterion, teach
from worker.head.traits import CRITERIA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

GROUPS = ("gender", "ses", "race_ethnicity")
SMALLEST_GROUP = 50
DRAWS = 10
# Other folds move the figures by some thousandths, more than most improvements do.
FOLDINGS = 5


def inputs_of(texts: list[str], cache: Path, model: Published = MINILM) -> Array:
    """(n, K) vectors and surface features."""
    return np.hstack([embed(texts, cache, reading(model, cache)), surface(texts)])


def standing_without(group: str, corpus: Corpus, inputs: Array, model: Published = MINILM) -> Standing:
    """The standing head of all but one assignment of ASAP, or of all but ELLIPSE."""
    rest = corpus.groups != group
    return fit_standing(inputs[rest], len(surface(["a"])[0]), corpus.pick(rest), model.name, model.as_read)


def assignments(
    data: Path, corpus: Corpus, inputs: Array, model: Published = MINILM
) -> list[tuple[Assignment, Assignment, Assignment]]:
    """For each assignment of ASAP: its overall score, its traits, and the four default criteria."""
    about = json.loads((data / "assignments.json").read_text())["asap"]
    frame = pd.read_csv(data / "asap.csv", dtype={"assignment": str})
    width = len(surface(["a"])[0])
    out = []
    for name in track(sorted(about), description="fitting standing heads"):
        mine, rows = corpus.groups == f"asap-{name}", (frame.assignment == name).to_numpy()
        standing = standing_without(f"asap-{name}", corpus, inputs, model)
        part, x = frame[rows], inputs[mine]
        traits = [t for t in frame.columns[4:] if part[t].notna().all()]
        low, high = map(float, about[name]["traits"])
        bottom, top = map(float, about[name]["overall"])
        whole = [Criterion("overall", None, bottom, top, 1.0, stretch=True)]
        each = [Criterion(t, t, low, high, 1.0, stretch=True) for t in traits]
        known = ~np.isnan(corpus.targets[mine]).all(axis=0)
        four = [Criterion(c, c, low, high, 1.0) for c, has in zip(CRITERIA, known, strict=True) if has]
        means = low + (high - low) * corpus.targets[mine][:, known]
        out.append(
            (
                Assignment(name, x, width, whole, part[["overall"]].to_numpy(float), standing),
                Assignment(name, x, width, each, part[traits].to_numpy(float), standing),
                Assignment(name, x, width, four, means, standing),
            )
        )
    return out


def average(kappas: list[list[float]]) -> float:
    """Over all criteria of all assignments."""
    return round(float(np.mean(np.concatenate(kappas))), 4)


def asap_figures(data: Path, corpus: Corpus, inputs: Array, model: Published) -> list[dict[str, Any]]:
    """The rows of the table that ASAP gives."""
    wholes, traits, fours = zip(*assignments(data, corpus, inputs, model), strict=True)
    rows, covered = list[dict[str, Any]](), list[float]()
    for label, sets, goal in (("ASAP overall", wholes, 0.80), ("ASAP++ traits", traits, 0.735)):
        made, shares = foldings(label, sets, goal)
        rows, covered = rows + made, covered + shares
    rows.append(row("unseen assignment, nothing known, four criteria: QWK", card_figure(model), 0.48))
    for label, sets in (("four criteria", fours), ("traits", traits)):
        alone = [few_shot(each, 0, 1) for each in sets]
        rows.append(row(f"unseen assignment, cohort baseline, {label}: QWK", average(alone), 0.60))
    for graded, goal in ((20, 0.65), (50, 0.68)):
        found = [few_shot(each, graded, DRAWS) for each in track(traits, description=f"{graded} graded essays")]
        rows.append(row(f"the same + {graded} graded, traits, mean of {DRAWS} draws: QWK", average(found), goal))
    rows.append(row("90 % intervals, in-prompt folds, lowest coverage", round(min(covered), 3), 0.88))
    rows.append(row("90 % intervals, in-prompt folds, mean coverage", round(float(np.mean(covered)), 3), 0.88, 0.92))
    rows.append(row("90 % intervals, in-prompt folds, highest coverage", round(max(covered), 3), None, 0.92))
    return rows


def foldings(label: str, sets: Sequence[Assignment], goal: float) -> tuple[list[dict[str, Any]], list[float]]:
    """Rows of kappas in-prompt, the mean of several foldings and the first alone, and what the intervals cover."""
    seen = [[in_prompt(each, n) for each in sets] for n in track(range(FOLDINGS), description=f"{label}, in-prompt")]
    found = [average([kappas for kappas, _ in folding]) for folding in seen]
    rows = [
        row(f"{label}, in-prompt, 5-fold, mean of {FOLDINGS} foldings: QWK", round(float(np.mean(found)), 4), goal),
        row(f"{label}, the lowest of these", min(found)),
        row(f"{label}, the highest", max(found)),
        row(f"{label}, the first (as over HTTP)", found[0]),
    ]
    return rows, [share for folding in seen for _, covered in folding for share in covered]


def ellipse_figures(data: Path, inputs: Array, test_inputs: Array, standing: Any) -> list[dict[str, Any]]:
    """Six traits, taught on the training essays and tested on the others."""
    train, test = pd.read_csv(data / "ellipse_train.csv"), pd.read_csv(data / "ellipse.csv")
    criteria = [Criterion(t, t, 1.0, 5.0, 1.0) for t in ELLIPSE_COLUMNS]
    width = len(surface(["a"])[0])
    numbers, _ = teach(inputs, width, train[ELLIPSE_COLUMNS].to_numpy(float), criteria, standing)
    unit, human = numbers.unit(numbers.standardised(test_inputs)), test[ELLIPSE_COLUMNS].to_numpy(float)
    points = 1 + 4 * unit
    error = float(np.sqrt(((points - human) ** 2).mean(axis=0)).mean())
    covered = coverage(criteria, human, unit, numbers.half_widths)
    rows = [row("ELLIPSE, six traits, test essays: MCRMSE", round(error, 4), None, 0.48)]
    rows += [
        row(f"ELLIPSE 90 % intervals, {t}", round(c, 3), 0.88, 0.92)
        for t, c in zip(ELLIPSE_COLUMNS, covered, strict=True)
    ]
    for column in GROUPS:
        apart = standardised_difference(
            human.mean(axis=1), points.mean(axis=1), test[column].to_numpy(), SMALLEST_GROUP
        )
        rows += [row(f"ELLIPSE DSM, {column}: {group}", value, -0.1, 0.1) for group, value in apart.items()]
    return rows


def card_figure(model: Published) -> float:
    """The default head's mean kappa with assignments left out, from its card."""
    card = json.loads((shipped(model.name, model.as_read) / "default.json").read_text())["card"]
    return float(card["measured"]["unseen"]["means"]["mean"])


def row(measure: str, value: float, least: float | None = None, most: float | None = None) -> dict[str, Any]:
    """A measure with the ends that it should lie between."""
    return {"measure": measure, "value": value, "least": least, "most": most}


def reached(each: dict[str, Any]) -> bool:
    """Whether a row's value lies where it should."""
    least, most = each["least"], each["most"]
    return (least is None or each["value"] >= least) and (most is None or each["value"] <= most)


def show(rows: list[dict[str, Any]]) -> None:
    """Prints the table."""
    table = Table("measure", "goal", "measured", "reached")
    for each in rows:
        ends = [f"{sign} {end:g}" for sign, end in ((">=", each["least"]), ("<=", each["most"])) if end is not None]
        told = "" if not ends else "yes" if reached(each) else "NO"
        table.add_row(each["measure"], " and ".join(ends), f"{each['value']:g}", told)
    Console(width=110).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m heads.evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with asap.csv, assignments.json, ellipse*.csv")
    parser.add_argument("--cache", type=Path, default=Path(".gradeline/heads-cache"), help="where embeddings are kept")
    parser.add_argument("--model", choices=[each.name for each in PUBLISHED], default=MINILM.name, help="the encoder")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    run(parser.parse_args())


def run(given: argparse.Namespace) -> None:
    began = time.monotonic()
    data, cache, model = given.data, given.cache, named(given.model) or MINILM
    corpus, test = asap(data) + ellipse(data, "ellipse_train.csv"), ellipse(data, "ellipse.csv")
    inputs, test_inputs = inputs_of(corpus.texts, cache, model), inputs_of(test.texts, cache, model)
    mine = corpus.groups == "ellipse"
    # The prior of the ELLIPSE head has not seen ELLIPSE.
    standing = standing_without("ellipse", corpus, inputs, model)
    rows = [*asap_figures(data, corpus, inputs, model), *ellipse_figures(data, inputs[mine], test_inputs, standing)]
    rows.append(row("int8 against fp32: loss of QWK", loss(data, cache, model), None, 0.005))
    show(rows)
    print(f"{len(rows)} measures in {time.monotonic() - began:.0f} s")
    if given.out:
        given.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
