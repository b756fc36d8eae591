"""`python -m heads.well_scored --data DIR`: what the features of well-scored texts are, for the feedback.

Well-scored are the upper third of an assignment by human score, a criterion each. Means and standard deviations alone
are written, by length; how long a text is, is compared with all lengths.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from heads.corpora import Corpus, asap, ellipse
from worker.comparing import ASPECTS, FILE
from worker.features.surface import FEATURES, surface
from worker.head.traits import CRITERIA

if TYPE_CHECKING:
    from numpy.typing import NDArray

EDGES = (150, 300, 450)
UPPER = 2 / 3


def well_scored(targets: NDArray[np.float64], groups: NDArray[np.str_]) -> NDArray[np.bool_]:
    """(n,) the texts at or above the upper third of their own assignment's scores (n,)."""
    out = np.zeros(len(targets), bool)
    for group in np.unique(groups):
        rows = (groups == group) & ~np.isnan(targets)
        if rows.any():
            out[rows] = targets[rows] >= np.quantile(targets[rows], UPPER)
    return out


def statistics(corpus: Corpus, counted: NDArray[np.float64]) -> dict[str, Any]:
    """By criterion and feature, mean and standard deviation in each band of length."""
    bands = np.searchsorted(EDGES, np.expm1(counted[:, FEATURES.index("log_words")]), side="right")
    table: dict[str, Any] = {}
    for k, criterion in enumerate(CRITERIA):
        good = well_scored(corpus.targets[:, k], corpus.groups)
        names = sorted({aspect.feature for aspect in ASPECTS[criterion]})
        table[criterion] = {name: _by_band(name, counted, bands, good, corpus) for name in names}
    return {"edges": list(EDGES), "criteria": table}


def _by_band(
    name: str, counted: NDArray[np.float64], bands: NDArray[np.int64], good: NDArray[np.bool_], corpus: Corpus
) -> list[list[float]]:
    values = counted[:, FEATURES.index(name)]
    if name == "log_paragraphs":
        # ASAP was typed into one field without line breaks: it says nothing of paragraphs.
        good = good & (corpus.groups == "ellipse")
    out = []
    for band in range(len(EDGES) + 1):
        rows = good if name == "log_words" else good & (bands == band)
        chosen = values[rows] if rows.sum() >= 20 else values[good]
        out.append([round(float(chosen.mean()), 5), round(float(chosen.std()), 5)])
    return out


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m heads.well_scored", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with asap.csv, assignments.json, ellipse*.csv")
    arguments = parser.parse_args()
    corpus = asap(arguments.data) + ellipse(arguments.data, "ellipse_train.csv")
    FILE.write_text(json.dumps(statistics(corpus, surface(corpus.texts)), indent=1) + "\n")
    print(f"written: {FILE.name}, from {len(corpus.texts)} essays")


if __name__ == "__main__":
    main()
