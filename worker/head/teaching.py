"""Fitting a taught head: kernel ridge regression (a Gaussian process' mean) around the standing head.

With a handful of examples the standing head's prior carries the scores and the examples set their mean, spread and
slope; with hundreds the kernel takes over. How much, leave-one-out error decides (closed form: Rasmussen & Williams
2006, eq. 5.12).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from crepes import ConformalRegressor
from scipy.linalg import lapack
from sklearn.model_selection import KFold

from worker.head.standing import Standing, baseline_of, column_of
from worker.head.taught import CONFIDENCE, Numbers, likeness, similarity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# Amplitudes of the kernel against noise of 1; small ones trust the standing head.
AMPLITUDES = (0.01, 0.03, 0.1, 0.25, 0.6, 1.2)
LINEAR, RADIAL = 1.0, 5.0
# Squared inverse lengths of the radial part, for vectors and surface features (mean squared differences).
VECTOR_GAMMA, SURFACE_GAMMA = 0.6, 0.6
PRIOR = 4.0
FOLDS = 5
# Beyond this many examples, the amplitudes that only few examples want are not tried.
MANY = 400


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


@dataclass(frozen=True)
class Fitted:
    """The part of a head that comes from examples, for one criterion."""

    weights: Array  # (K,)
    bias: float
    alphas: Array  # (m,)
    held_out: Array  # (m,) leave-one-out predictions
    amplitude: float


def metric_of(vectors: int, surface: int) -> tuple[Array, Array]:
    """Two (K,) multipliers of standardised inputs: for the linear part, and for distances."""
    linear = np.r_[np.full(vectors, vectors**-0.5), np.full(surface, surface**-0.5)]
    radial = np.r_[
        np.full(vectors, (VECTOR_GAMMA / vectors) ** 0.5), np.full(surface, (SURFACE_GAMMA / surface) ** 0.5)
    ]
    return linear * LINEAR**0.5, radial


class Kernel:
    """The kernel matrix of some examples, solved for each criterion."""

    def __init__(self, x: Array, standing: Standing, surface: int) -> None:
        self.x, self.standing = x.astype(np.float32), standing
        self.linear, self.radial = metric_of(x.shape[1] - surface, surface)
        self.prior = standing(x).astype(np.float32)
        scaled = self.x * self.linear.astype(np.float32)
        near = similarity(self.x * self.radial.astype(np.float32), self.x * self.radial.astype(np.float32))
        self.own = scaled @ scaled.T + RADIAL * near
        self.shared = PRIOR * self.prior @ self.prior.T / self.prior.shape[1]

    def fit(self, rows: NDArray[np.int64], y: Array, stretch: Sequence[bool]) -> list[Fitted]:
        """Of each column of the scores `y` (m, C) of some rows, the best amplitude's fit, stretched where it is wanted."""
        tried = AMPLITUDES if len(rows) < MANY else AMPLITUDES[2:]
        fits = [self._solve(rows, y, amplitude) for amplitude in tried]
        best = [min(each, key=lambda f: _error(f.held_out, y[:, k])) for k, each in enumerate(zip(*fits, strict=True))]
        return [stretched(f, y[:, k]) if stretch[k] else f for k, f in enumerate(best)]

    def _solve(self, rows: NDArray[np.int64], y: Array, amplitude: float) -> list[Fitted]:
        block = np.ix_(rows, rows)
        matrix = amplitude * self.own[block] + self.shared[block]
        matrix[np.diag_indices(len(rows))] += 1.0
        centre = y.mean(axis=0)
        solved, diagonal = solve(
            matrix, (y - centre).astype(np.float32)
        )  # nearly all of the time: one for all criteria
        held_out = y - solved / diagonal[:, None]
        x, prior = self.x[rows], self.prior[rows]
        mixed = PRIOR / prior.shape[1] * (prior.T @ solved)
        weights = amplitude * (self.linear**2)[:, None] * (x.T @ solved) + self.standing.weights @ mixed
        bias = centre + self.standing.bias @ mixed
        alphas = amplitude * RADIAL * solved
        return [
            Fitted(weights[:, k], float(bias[k]), alphas[:, k], held_out[:, k], amplitude) for k in range(y.shape[1])
        ]


def solve(matrix: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[Array, Array]:
    """The inverse of a positive definite matrix (m, m) times y (m, C), and the inverse's diagonal, (m,).

    By its Cholesky factor's inverse: a third of the time of the whole inverse. ArithmeticError if it isn't definite.
    """
    factor, failed = lapack.spotrf(np.asfortranarray(matrix), lower=1, clean=1)
    if failed:
        raise ArithmeticError("the examples' kernel matrix is not positive definite")
    root, _ = lapack.strtri(factor, lower=1, overwrite_c=1)
    return np.asarray(root.T @ (root @ y), np.float64), np.asarray(np.einsum("ij,ij->j", root, root), np.float64)


def stretched(fitted: Fitted, y: Array) -> Fitted:
    """A fit whose held-out predictions have the mean and spread of the human scores."""
    spread = float(fitted.held_out.std())
    factor = float(y.std()) / spread if spread > 1e-9 else 1.0
    shift = float(y.mean()) - factor * float(fitted.held_out.mean())
    return Fitted(
        fitted.weights * factor, fitted.bias * factor + shift, fitted.alphas * factor,
        fitted.held_out * factor + shift, fitted.amplitude,
    )  # fmt: skip


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
    kernel = Kernel(x[graded], standing, surface) if len(graded) else None
    columns: list[Fitted | None] = [None] * len(criteria)
    for known, same in alike(unit[graded]):
        if kernel is not None and len(known):
            y, stretch = unit[np.ix_(graded[known], same)], [criteria[k].stretch for k in same]
            predicted[np.ix_(graded[known], same)] = cross_validated(kernel, known, y, stretch)
            for k, fitted in zip(same, kernel.fit(known, y, stretch), strict=True):
                columns[k] = _spread_out(fitted, known, len(graded))
    done = [c or _by_standing(criteria[k], standing, x, len(graded)) for k, c in enumerate(columns)]
    weights, bias = np.stack([c.weights for c in done], axis=1), np.array([c.bias for c in done])
    alphas = np.stack([c.alphas for c in done], axis=1) if len(graded) else np.zeros((0, len(criteria)))
    centres = kernel.x * kernel.radial if kernel else np.zeros((0, x.shape[1]))
    metric = metric_of(x.shape[1] - surface, surface)[1]
    half = _half_widths(unit, predicted, criteria, standing)
    far = _far(inputs[:, :-surface], x)
    return Numbers(baseline.mean, baseline.scale, weights, bias, metric, centres, alphas, half, far), predicted


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
    alphas = np.zeros(graded)
    alphas[known] = fitted.alphas
    return Fitted(fitted.weights, fitted.bias, alphas, fitted.held_out, fitted.amplitude)


def _by_standing(criterion: Criterion, standing: Standing, x: Array, graded: int) -> Fitted:
    """Scores with the mean and spread that such scores have elsewhere: this assignment's own are not known."""
    mix = column_of(criterion.measures)
    # Predicted standing has less spread than standing; that of the cohort at hand is stretched to one.
    place = standing(x) @ mix
    centre, spread = float(place.mean()), float(place.std()) + 1e-9
    sd = float(standing.sd @ mix) / spread
    bias = float(standing.mean @ mix) + sd * (float(standing.bias @ mix) - centre)
    return Fitted(sd * standing.weights @ mix, bias, np.zeros(graded), np.zeros(0), 0.0)


def cross_validated(kernel: Kernel, rows: NDArray[np.int64], y: Array, stretch: Sequence[bool]) -> Array:
    """(m, C) predictions of each row by a head that was fitted, amplitude and stretch included, without its fold."""
    out = np.zeros(y.shape)
    folds = KFold(folds_of(len(rows)), shuffle=True, random_state=0)
    for train, test in folds.split(rows):
        out[test] = held_out(kernel, rows[train], rows[test], y[train], stretch)
    return out


def held_out(
    kernel: Kernel, train: NDArray[np.int64], test: NDArray[np.int64], y: Array, stretch: Sequence[bool]
) -> Array:
    """(t, C) predictions, from 0 to 1, of the rows `test` by a head fitted on the rows `train`, whose scores are `y`."""
    held = kernel.x[test]
    near = similarity(held * kernel.radial, kernel.x[train] * kernel.radial)
    columns = [held @ each.weights + each.bias + near @ each.alphas for each in kernel.fit(train, y, stretch)]
    return np.clip(np.stack(columns, axis=1), 0, 1)


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


def _error(held_out: Array, y: Array) -> float:
    return float(np.mean((held_out - y) ** 2))
