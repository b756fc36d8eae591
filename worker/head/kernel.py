"""Kernel ridge regression (a Gaussian process' mean) around the standing head, in several views of the inputs.

With a handful of examples the standing head's prior carries the scores and the examples set their mean, spread and
slope; with hundreds the kernel takes over. How much, leave-one-out error decides (closed form: Rasmussen & Williams
2006, eq. 5.12). So it decides how the views are mixed (stacking: Breiman 1996).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import lapack
from scipy.optimize import nnls

from worker.head.standing import Standing
from worker.head.views import nearness, parts_of, radial, scaled, views_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Singles = NDArray[np.float32]

# Amplitudes of the kernel against noise of 1; small ones trust the standing head.
AMPLITUDES = (0.01, 0.03, 0.1, 0.25, 0.6, 1.2)
# The radial part of a kernel beside its linear one, and the standing head beside both.
RADIAL, PRIOR = 5.0, 4.0
# So many examples weigh as much as the belief that all views are alike.
ALIKE = 15.0
# Beyond this many examples, the amplitudes that only few examples want are not tried.
MANY = 400


@dataclass(frozen=True)
class Fitted:
    """The part of a head that comes from examples, for one criterion."""

    weights: Array  # (K,)
    bias: float
    alphas: Array  # (J, m)
    held_out: Array  # (m,) leave-one-out predictions


class Kernel:
    """Examples, their standardised inputs (n, K), and what they teach of each criterion."""

    def __init__(self, x: Array, standing: Standing, surface: int) -> None:
        self.x, self.standing = x.astype(np.float32), standing
        self.parts = parts_of(x.shape[1] - surface, surface)
        self.views = views_of(self.parts)
        self.prior = standing(x).astype(np.float32)

    def fit(self, rows: NDArray[np.int64], y: Array, stretch: Sequence[bool]) -> list[Fitted]:
        """Of each column of the scores `y` (m, C) of some rows, the views' fits, mixed, and stretched where it is wanted."""
        by_view = [self._best(view, rows, y) for view in self.views]
        out = [mixed([each[k] for each in by_view], y[:, k]) for k in range(y.shape[1])]
        return [stretched(f, y[:, k]) if stretch[k] else f for k, f in enumerate(out)]

    def _best(self, view: Array, rows: NDArray[np.int64], y: Array) -> list[Fitted]:
        """One view's fits, each column's of the amplitude with the least leave-one-out error."""
        seen = scaled(self.x[rows], self.parts, view)
        own = np.asarray(seen @ seen.T, np.float32)
        lengths = np.diagonal(own)
        own += RADIAL * radial(lengths, lengths, own)
        prior = self.prior[rows]
        shared = PRIOR * prior @ prior.T / prior.shape[1]
        tried = AMPLITUDES if len(rows) < MANY else AMPLITUDES[2:]
        fits = [self._solve(view, own, shared, rows, y, amplitude) for amplitude in tried]
        return [min(each, key=lambda f: _error(f.held_out, y[:, k])) for k, each in enumerate(zip(*fits, strict=True))]

    def _solve(
        self, view: Array, own: Singles, shared: Singles, rows: NDArray[np.int64], y: Array, amplitude: float
    ) -> list[Fitted]:
        matrix = amplitude * own + shared
        matrix[np.diag_indices(len(rows))] += 1.0
        centre = y.mean(axis=0)
        apart = (y - centre).astype(np.float32)
        solved, diagonal = solve(matrix, apart)  # nearly all of the time: once for all criteria
        held_out = y - solved / diagonal[:, None]
        x, prior = self.x[rows], self.prior[rows]
        weighed = PRIOR / prior.shape[1] * (prior.T @ solved)
        weights = amplitude * np.repeat(view, self.parts)[:, None] * (x.T @ solved) + self.standing.weights @ weighed
        bias = centre + self.standing.bias @ weighed
        alphas = amplitude * RADIAL * solved
        return [Fitted(weights[:, k], float(bias[k]), alphas[None, :, k], held_out[:, k]) for k in range(y.shape[1])]


def mixed(fits: Sequence[Fitted], y: Array) -> Fitted:
    """The views' fits of one criterion with the scores y (m,), weighed by least squares of their leave-one-out predictions.

    No weight is negative. All are alike before anything is seen, and that counts as much as some examples.
    """
    centre, count = float(y.mean()), len(fits)
    apart = np.stack([f.held_out for f in fits], axis=1) - centre
    firm = (ALIKE * float(y.var())) ** 0.5
    weights, _ = nnls(np.vstack([apart, firm * np.eye(count)]), np.r_[y - centre, np.full(count, firm / count)])
    each = list(zip(weights.tolist(), fits, strict=True))
    return Fitted(
        np.sum([w * f.weights for w, f in each], axis=0),
        centre + sum(w * (f.bias - centre) for w, f in each),
        np.concatenate([w * f.alphas for w, f in each]),
        centre + apart @ weights,
    )


def solve(matrix: Singles, y: Singles) -> tuple[Array, Array]:
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
        fitted.held_out * factor + shift,
    )  # fmt: skip


def held_out(
    kernel: Kernel, train: NDArray[np.int64], test: NDArray[np.int64], y: Array, stretch: Sequence[bool]
) -> Array:
    """(t, C) predictions, from 0 to 1, of the rows `test` by a head fitted on the rows `train`, whose scores are `y`."""
    held = kernel.x[test]
    fits = kernel.fit(train, y, stretch)
    out = np.stack([held @ each.weights + each.bias for each in fits], axis=1)
    for view, near in enumerate(nearness(held, kernel.x[train], kernel.parts, kernel.views)):
        out += near @ np.stack([each.alphas[view] for each in fits], axis=1)
    return np.clip(out, 0, 1)


def _error(held_out: Array, y: Array) -> float:
    return float(np.mean((held_out - y) ** 2))
