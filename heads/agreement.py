"""How well scores agree with people's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import cohen_kappa_score

from heads.corpora import Corpus
from worker.head.traits import CRITERIA

if TYPE_CHECKING:
    from numpy.typing import NDArray


def kappa(human: NDArray[np.float64], machine: NDArray[np.float64], span: int) -> float:
    """Quadratic weighted kappa of unit scores, rounded to the points of a scale of `span` steps."""
    a, b = np.rint(human * span).astype(int), np.rint(np.clip(machine, 0, 1) * span).astype(int)
    return float(cohen_kappa_score(a, b, weights="quadratic", labels=np.arange(span + 1)))


def by_assignment(corpus: Corpus, machine: NDArray[np.float64]) -> dict[str, dict[str, float]]:
    """Kappa of each criterion that an assignment has, by assignment; half points count as steps on ELLIPSE."""
    table: dict[str, dict[str, float]] = {}
    for group in np.unique(corpus.groups):
        rows = corpus.groups == group
        span = int(corpus.steps[rows][0]) * (2 if group == "ellipse" else 1)
        for k, criterion in enumerate(CRITERIA):
            human = corpus.targets[rows, k]
            if not np.isnan(human).all():
                known = ~np.isnan(human)
                value = kappa(human[known], machine[rows, k][known], span)
                table.setdefault(str(group), {})[criterion] = round(value, 3)
    return table


def means(table: dict[str, dict[str, float]]) -> dict[str, float]:
    """The mean of each criterion over assignments, and of all."""
    out = {c: round(float(np.mean([row[c] for row in table.values() if c in row])), 3) for c in CRITERIA}
    every = [value for row in table.values() for value in row.values()]
    return {**out, "mean": round(float(np.mean(every)), 3)}


def coverage(
    targets: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    criteria: Sequence[str] = CRITERIA,
) -> dict[str, dict[str, float]]:
    """Share of human scores inside their intervals, and the mean width of these."""
    out = {}
    for k, criterion in enumerate(criteria):
        known = ~np.isnan(targets[:, k])
        # A human score is a multiple of a point: an interval that ends a rounding error beside it holds it.
        inside = (targets[known, k] >= low[known, k] - 1e-9) & (targets[known, k] <= high[known, k] + 1e-9)
        width = float((high[known, k] - low[known, k]).mean())
        out[criterion] = {"coverage": round(float(inside.mean()), 3), "width": round(width, 3)}
    return out
