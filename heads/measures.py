"""What `heads.evaluate` measures: taught heads on essays and assignments that they have not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.head.agreement import figures
from worker.head.standing import Standing
from worker.head.teaching import Criterion, teach
from worker.report.fairness import dsm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Assignment:
    """The essays of one assignment: inputs (n, K), of which the last `surface` are surface features, and scores."""

    name: str
    inputs: Array
    surface: int
    criteria: list[Criterion]
    scores: Array  # (n, C) on the criteria's scales
    standing: Standing  # fitted on other assignments

    def qwk(self, rows: NDArray[np.intp], unit: Array) -> list[float]:
        """Kappa of each criterion on some essays, whose scores from 0 to 1 are `unit` (len(rows), C)."""
        return [
            figures(self.scores[rows, k], c.low + (c.high - c.low) * unit[:, k], c.low, c.high, 1.0)["qwk"]
            for k, c in enumerate(self.criteria)
        ]


def in_prompt(each: Assignment, folding: int = 0) -> tuple[list[float], list[float]]:
    """Kappas by five folds, and the share of held-out scores inside their intervals, a criterion each.

    `folding` says which essays are held out together: each number makes other folds.
    """
    n = len(each.scores)
    order = np.random.default_rng(folding).permutation(n) if folding else np.arange(n)
    scores = each.scores[order]
    numbers, predicted = teach(each.inputs[order], each.surface, scores, each.criteria, each.standing)
    return each.qwk(order, predicted), coverage(each.criteria, scores, predicted, numbers.half_widths)


def coverage(criteria: Sequence[Criterion], scores: Array, unit: Array, half: Array) -> list[float]:
    """The share of scores within half a width of their predictions, a criterion each; ends are cut to the scale."""
    low, high = np.array([c.low for c in criteria]), np.array([c.high for c in criteria])
    apart = np.abs((scores - low) / (high - low) - unit)
    return [float((apart[:, k] <= half[k] + 1e-9).mean()) for k in range(len(criteria))]


def few_shot(each: Assignment, graded: int, draws: int) -> list[float]:
    """Mean kappas over draws of some graded essays, measured on all the others; 0 graded: the cohort alone."""
    n, found = len(each.scores), []
    for draw in range(draws if graded else 1):
        chosen = np.random.default_rng(draw).choice(n, graded, replace=False)
        known = np.full(each.scores.shape, np.nan)
        known[chosen] = each.scores[chosen]
        numbers, _ = teach(each.inputs, each.surface, known, each.criteria, each.standing)
        rest = np.setdiff1d(np.arange(n), chosen)
        found.append(each.qwk(rest, numbers.unit(numbers.standardised(each.inputs[rest]))))
    return [float(value) for value in np.mean(np.array(found, float), axis=0)]


def standardised_difference(human: Array, machine: Array, groups: NDArray[Any], least: int) -> dict[str, float]:
    """DSM of each group of at least `least` essays, to three decimals; none where scores don't vary."""
    labels = groups.astype(str)
    rows = {str(name): np.flatnonzero(labels == name) for name in np.unique(labels)}
    found = {name: dsm(human, machine, mine) for name, mine in rows.items() if len(mine) >= least}
    return {name: round(value, 3) for name, value in found.items() if value is not None}
