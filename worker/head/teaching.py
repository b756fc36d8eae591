"""Fitting a taught head: what its examples teach, cross-validated, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from crepes import ConformalRegressor
from sklearn.model_selection import KFold

from worker.head.kernel import Fitted, Kernel, held_out
from worker.head.standing import Standing, baseline_of, column_of
from worker.head.taught import CONFIDENCE, Numbers, likeness

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FOLDS = 5


@dataclass(frozen=True)
class Criterion:
    """What is taught of one criterion: its place on the standing head, and its scale."""

    name: str
    measures: str | None
    low: float
    high: float
    weight: float
    # To the spread of the human scores, or as least squares leave them, nearer to the mean (ADR 0008): grades on steps
    # are compared as grades, and kappa wants the spread; a scale without steps is a measure, and wants the least error.
    stretch: bool = False


def teach(
    inputs: Array, surface: int, scores: Array, criteria: Sequence[Criterion], standing: Standing
) -> tuple[Numbers, Array]:
    """The head of an assignment, and the cross-validated predictions of its examples, (n, C), from 0 to 1.

    `inputs` (n, K) of all submissions; `scores` (n, C) on the rubric's scales, NaN where nobody graded. The baseline
    comes from all submissions; folds part the graded ones. A criterion that nobody graded is scored by standing alone.
    """
    low, high = np.array([c.low for c in criteria]), np.array([c.high for c in criteria])
    unit = (scores - low) / (high - low)
    baseline = baseline_of(inputs)
    x = baseline(inputs)
    graded = np.flatnonzero(~np.isnan(unit).all(axis=1))
    predicted = np.full(unit.shape, np.nan)
    kernel = Kernel(x[graded], standing, surface)
    columns: list[Fitted | None] = [None] * len(criteria)
    for known, same in alike(unit[graded]):
        if len(known):
            y, stretch = unit[np.ix_(graded[known], same)], [criteria[k].stretch for k in same]
            predicted[np.ix_(graded[known], same)] = cross_validated(kernel, known, y, stretch)
            for k, fitted in zip(same, kernel.fit(known, y, stretch), strict=True):
                columns[k] = _spread_out(fitted, known, len(graded))
    nothing = np.zeros((len(kernel.views), len(graded)))
    done = [c or _by_standing(criteria[k], standing, x, nothing) for k, c in enumerate(columns)]
    weights, bias = np.stack([c.weights for c in done], axis=1), np.array([c.bias for c in done])
    alphas = np.stack([c.alphas for c in done], axis=2)
    half = _half_widths(unit, predicted, criteria, standing)
    far = _far(inputs[:, :-surface], x)
    head = Numbers(
        baseline.mean, baseline.scale, weights, bias, kernel.parts, kernel.views, kernel.x, alphas, half, far
    )
    return head, predicted


def _far(vectors: Array, x: Array) -> Array:
    """(2,) from where on a text is unlike the submissions: by its inputs, and by what it is about.

    Each submission is compared with the mean of the others. Three deviations: fewer than 2 of 100 others of the same
    assignment lie beyond, and 9 of 10 of other assignments (docs/grading.md).
    """
    n = len(vectors)
    about = likeness(vectors, (vectors.sum(axis=0) - vectors) / max(1, n - 1))
    return np.array([3.0 * np.quantile((x**2).mean(axis=1), 0.99), about.mean() - 3.0 * about.std()])


def alike(unit: Array) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Criteria that the same examples grade, with these examples' places: they share a fit's costly part."""
    patterns: dict[bytes, list[int]] = {}
    for k in range(unit.shape[1]):
        patterns.setdefault(np.isnan(unit[:, k]).tobytes(), []).append(k)
    return [(np.flatnonzero(~np.isnan(unit[:, same[0]])), np.array(same)) for same in patterns.values()]


def _spread_out(fitted: Fitted, known: NDArray[np.int64], graded: int) -> Fitted:
    """A fit whose alphas are those of all graded examples; 0 for those that don't grade its criterion."""
    alphas = np.zeros((len(fitted.alphas), graded))
    alphas[:, known] = fitted.alphas
    return Fitted(fitted.weights, fitted.bias, alphas, fitted.held_out)


def _by_standing(criterion: Criterion, standing: Standing, x: Array, nothing: Array) -> Fitted:
    """Scores with the mean and spread that such scores have elsewhere: this assignment's own are not known."""
    mix = column_of(criterion.measures)
    # Predicted standing has less spread than standing; that of the cohort at hand is stretched to one.
    place = standing(x) @ mix
    centre, spread = float(place.mean()), float(place.std()) + 1e-9
    sd = float(standing.sd @ mix) / spread
    bias = float(standing.mean @ mix) + sd * (float(standing.bias @ mix) - centre)
    return Fitted(sd * standing.weights @ mix, bias, nothing, np.zeros(0))


def cross_validated(kernel: Kernel, rows: NDArray[np.int64], y: Array, stretch: Sequence[bool]) -> Array:
    """(m, C) predictions of each row by a head that was fitted, amplitude and stretch included, without its fold."""
    out = np.zeros(y.shape)
    folds = KFold(folds_of(len(rows)), shuffle=True, random_state=0)
    for train, test in folds.split(rows):
        out[test] = held_out(kernel, rows[train], rows[test], y[train], stretch)
    return out


def folds_of(count: int) -> int:
    """Into how many parts so many graded examples are cut to predict each by a head that has not seen it."""
    return min(count, FOLDS if count >= 50 else 10)


def _half_widths(unit: Array, predicted: Array, criteria: Sequence[Criterion], standing: Standing) -> Array:
    """(C + 1,) conformal half widths (crepes), from cross-validated residuals."""
    half = []
    for k, criterion in enumerate(criteria):
        known = ~np.isnan(predicted[:, k])
        if known.any():
            half.append(conformal(unit[known, k] - predicted[known, k]))
        else:
            half.append(float(standing.half_widths @ column_of(criterion.measures)))
    both = ~np.isnan(predicted).any(axis=1)
    weights = np.array([c.weight for c in criteria]) / sum(c.weight for c in criteria)
    whole = conformal((unit[both] - predicted[both]) @ weights) if both.sum() > 9 else float(np.mean(half))
    return np.array([*half, whole])


def conformal(residuals: Array, confidence: float = CONFIDENCE) -> float:
    """The half width (crepes) that holds this share of residuals like these; they are from -1 to 1."""
    fitted = ConformalRegressor().fit(np.abs(residuals))
    ends = fitted.predict_int(np.zeros(1), confidence=confidence, y_min=-1.0, y_max=1.0)
    return float((ends[0, 1] - ends[0, 0]) / 2)
