"""Fitting: ridge a criterion, stretched to the spread of the human scores, with conformal intervals."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from crepes import ConformalRegressor
from sklearn.linear_model import Ridge

from worker.head import Evidence, Head
from worker.head.ridge import standardised

if TYPE_CHECKING:
    from numpy.typing import NDArray

Targets = "NDArray[np.float64]"
# Thirty surface features beside 1,152 numbers of the encoder: this weight lets ridge use them.
SURFACE_WEIGHT = 3.0
EDGES = np.array([75.0, 150.0, 300.0, 450.0])
CONFIDENCE = 0.9
FOLDS = 5


def inputs_of(evidence: Evidence, degraded: bool) -> NDArray[np.float64]:
    """(n, K): vectors and surface features, or these alone."""
    if degraded or evidence.vectors is None:
        return evidence.surface
    return np.hstack([evidence.vectors, evidence.surface])


def fit(head: Head, evidence: Evidence, targets: NDArray[np.float64], alpha: float) -> Head:
    """`head` with its numbers fitted. The limit on far-out inputs holds while fitting as it will in use.

    The weight of the surface features is a smaller penalty on them: their standardised columns are multiplied before
    the fit, and the coefficients after it.
    """
    inputs = inputs_of(evidence, head.degraded)
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0) + 1e-9
    importance = np.ones(inputs.shape[1])
    importance[-evidence.surface.shape[1] :] = SURFACE_WEIGHT
    x = standardised(inputs, mean, scale) * importance
    count = targets.shape[1]
    weights, bias = np.zeros((inputs.shape[1], count)), np.zeros(count)
    for k in range(count):
        known = ~np.isnan(targets[:, k])
        model = Ridge(alpha).fit(x[known], targets[known, k])
        weights[:, k], bias[k] = model.coef_ * importance, model.intercept_
    return replace(head, mean=mean, scale=scale, weights=weights, bias=bias)


def stretched(head: Head, raw: NDArray[np.float64], targets: NDArray[np.float64]) -> Head:
    """`head` with outputs that have the human scores' mean and spread; `raw` are predictions of held-out texts.

    Least squares shrinks to the mean; kappa and teachers want the spread back. It costs root mean square error.
    """
    weights, bias = head.weights.copy(), head.bias.copy()
    for k in range(targets.shape[1]):
        known = ~np.isnan(targets[:, k])
        spread = raw[known, k].std()
        factor = targets[known, k].std() / spread if spread > 1e-9 else 1.0
        weights[:, k] *= factor
        bias[k] = (bias[k] - raw[known, k].mean()) * factor + targets[known, k].mean()
    return replace(head, weights=weights, bias=bias)


def with_intervals(
    head: Head, predicted: NDArray[np.float64], words: NDArray[np.int64], targets: NDArray[np.float64],
    edges: NDArray[np.float64] = EDGES,
) -> Head:  # fmt: skip
    """`head` with the half widths of its intervals, a bin of length each (Mondrian conformal regression).

    `predicted` (n, C) are scores of held-out texts as the head in use would give them.
    """
    bins = np.searchsorted(edges, words, side="right")
    columns = [*((targets[:, k], predicted[:, k]) for k in range(targets.shape[1])), overall_of(targets, predicted)]
    half = np.stack([_half_widths(y - p, bins, len(edges) + 1) for y, p in columns], axis=1)
    return replace(head, edges=edges, half_widths=half, confidence=CONFIDENCE)


def overall_of(
    targets: NDArray[np.float64], predicted: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean of the criteria that people scored, and of the same criteria as predicted."""
    return np.nanmean(targets, axis=1), np.nanmean(np.where(np.isnan(targets), np.nan, predicted), axis=1)


def _half_widths(residuals: NDArray[np.float64], bins: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    known = ~np.isnan(residuals)
    conformal = ConformalRegressor().fit(residuals[known], bins=bins[known])
    places = np.arange(count)
    ends = conformal.predict_int(np.zeros(len(places)), bins=places, confidence=CONFIDENCE)
    return np.asarray((ends[:, 1] - ends[:, 0]) / 2)
