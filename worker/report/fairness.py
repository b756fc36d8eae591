"""Do scores treat groups alike? DSM, and the linear models of Loukina, Madnani & Zechner (2019), as in RSMTool.

OSA, OSD, CSD: how much of the squared error (accuracy), of the error (difference), and of the error among texts with the
same human score (conditional difference) a group explains: adjusted R², and the significance of its F test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import f as f_distribution

from worker.report.measures import NO_SPREAD, plain, sd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Figures = dict[str, Any]

# A group below this says little, and its figures are marked; more groups than that are no groups but names.
ENOUGH, MOST_GROUPS = 10, 30


def subgroups(human: Array, machine: Array, labels: Sequence[str | None]) -> Figures | None:
    """The figures of one way of grouping; None when it parts nothing. Texts without a label count in the whole alone."""
    known = np.array([n for n, label in enumerate(labels) if label is not None], np.int64)
    names = ordered([labels[n] or "" for n in known])
    if not 2 <= len(names) <= MOST_GROUPS:
        return None
    place = np.array([names.index(labels[n] or "") for n in known])
    models = _models(human[known], machine[known], place, len(names))
    groups = {}
    for k, name in enumerate(names):
        rows = known[place == k]
        groups[name] = {
            "n": len(rows), "enough": len(rows) >= ENOUGH, "DSM": dsm(human, machine, rows),
            "h_mean": plain(human[rows].mean()), "sys_mean": plain(machine[rows].mean()),
            **{f"{m.lower()}_estimate": plain(fit.weights[k]) if fit and k else None for m, (fit, _, _) in models.items()},
        }  # fmt: skip
    tests = {m: {"R2": plain(explained), "sig": plain(sig)} for m, (_, explained, sig) in models.items()}
    return {"base_group": names[0], **tests, "groups": groups}


def ordered(labels: Sequence[str]) -> list[str]:
    """Groups, the largest first; the same size by name."""
    counts = Counter(labels)
    return sorted(counts, key=lambda label: (-counts[label], label))


def dsm(human: Array, machine: Array, rows: NDArray[np.int64]) -> float | None:
    """Difference of standardised means: mean of z(machine) - z(human) in a group, z by mean and spread of all texts."""
    spreads = sd(human), sd(machine)
    if min(spreads) < NO_SPREAD:
        return None
    z = (machine - machine.mean()) / spreads[1] - (human - human.mean()) / spreads[0]
    return plain(float(z[rows].mean()))


@dataclass(frozen=True)
class Fit:
    """Least squares: coefficients (the first is the intercept), squares left, their degrees of freedom, adjusted R²."""

    weights: Array
    left: float
    freedom: int
    adjusted: float


def least_squares(y: Array, design: Array) -> Fit | None:
    """None when there are no more texts than coefficients, or nothing to explain."""
    weights, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
    total, freedom = float(((y - y.mean()) ** 2).sum()), len(y) - int(rank)
    if freedom < 1 or total < NO_SPREAD:
        return None
    left = float(((y - design @ weights) ** 2).sum())
    return Fit(np.asarray(weights, np.float64), left, freedom, 1 - (len(y) - 1) / freedom * left / total)


def dummies(place: NDArray[np.int64], count: int) -> Array:
    """A column for each category but the first."""
    return np.asarray(place[:, None] == np.arange(1, count)[None], np.float64)


def _models(
    human: Array, machine: Array, place: NDArray[np.int64], count: int
) -> dict[str, tuple[Fit | None, float | None, float | None]]:
    """Of each model: its fit, what the group explains, and the significance of that."""
    error, ones = machine - human, np.ones((len(human), 1))
    group = np.hstack([ones, dummies(place, count)])
    levels, level = np.unique(human, return_inverse=True)
    score = dummies(level, len(levels))
    return {
        "OSA": _against(error**2, ones, group),
        "OSD": _against(error, ones, group),
        "CSD": _against(error, np.hstack([ones, score]), np.hstack([group, score])),
    }


def _against(y: Array, small: Array, large: Array) -> tuple[Fit | None, float | None, float | None]:
    """A model against the one inside it: the gain in adjusted R², and the significance of the F test."""
    less, more = least_squares(y, small), least_squares(y, large)
    if less is None or more is None:
        return None, None, None
    gained = less.freedom - more.freedom
    if gained < 1 or more.left < NO_SPREAD:
        return more, more.adjusted - less.adjusted, None
    f = (less.left - more.left) / gained / (more.left / more.freedom)
    return more, more.adjusted - less.adjusted, float(f_distribution.sf(f, gained, more.freedom))
