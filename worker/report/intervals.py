"""Do intervals hold what they promise? Measured on scores that had no part in their width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.model_selection import KFold

from worker.head.taught import CONFIDENCE
from worker.head.teaching import conformal
from worker.report.measures import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

NOMINAL = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
FOLDS = 10


def intervals(human: Array, machine: Array, half: float) -> dict[str, Any]:
    """Coverage and mean width of 90 % intervals, and the coverage of others beside them. Scores from 0 to 1.

    `half` is the half width that the head gives; the width is that of intervals cut off at the ends of the scale.
    """
    residuals = human - machine
    width = np.clip(machine + half, 0, 1) - np.clip(machine - half, 0, 1)
    reached = {c: coverage(residuals, c) for c in NOMINAL}
    return {
        "confidence": CONFIDENCE,
        "coverage": reached[CONFIDENCE],
        "mean_width": plain(width.mean()),
        "reliability": [{"nominal": c, "coverage": found} for c, found in reached.items()],
    }


def coverage(residuals: Array, confidence: float) -> float | None:
    """Share of residuals inside the conformal width of the other folds' residuals; None when these are too few for it."""
    folds = min(FOLDS, len(residuals))
    fewest = len(residuals) - -(-len(residuals) // max(1, folds))
    if folds < 2 or int((1 - confidence) * (fewest + 1)) < 1:  # as crepes counts
        return None
    inside = np.zeros(len(residuals), bool)
    for others, mine in KFold(folds, shuffle=True, random_state=0).split(residuals):
        inside[mine] = np.abs(residuals[mine]) <= conformal(residuals[others], confidence) + 1e-9
    return plain(inside.mean())
