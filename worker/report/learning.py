"""The learning curve: how well a head agrees when it was fitted on few examples, and on more of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import KFold

from worker.head.kernel import Kernel, held_out
from worker.head.standing import Standing, baseline_of
from worker.head.teaching import Criterion, alike

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

SIZES = (10, 20, 50, 100, 200, 400, 800)
FOLDS = 5
# Examples beyond these change a curve little, and their kernel takes memory and time.
MOST = 1000
# A step takes up to so many times as long as the one before: the inverse of twice the size eight times, all else less.
GROWTH = 4.0


def learning_curve(
    inputs: Array, surface: int, scores: Array, criteria: Sequence[Criterion], standing: Standing, budget_s: float
) -> dict[int, Array]:
    """By the number of examples, held-out predictions (n, C) from 0 to 1, NaN for what was not predicted.

    Five folds; each is predicted by a head that was fitted on so many examples of the other four, the fewer among the
    more. It ends before a step that would probably go beyond `budget_s` seconds.
    """
    unit = (scores - [c.low for c in criteria]) / [c.high - c.low for c in criteria]
    graded = np.flatnonzero(~np.isnan(unit).all(axis=1))
    if len(graded) < FOLDS:
        return {}
    graded = np.sort(np.random.default_rng(0).permutation(graded)[:MOST])
    began, curve = time.monotonic(), {}
    kernel = Kernel(baseline_of(inputs)(inputs)[graded], standing, surface)
    for size in SIZES:
        step = time.monotonic()
        found = _step(kernel, unit[graded], size, [c.stretch for c in criteria])
        if np.isnan(found).all():
            break
        curve[size] = np.full(unit.shape, np.nan)
        curve[size][graded] = found
        now = time.monotonic()
        if now - began + GROWTH * (now - step) > budget_s:
            break
    return curve


def _step(kernel: Kernel, unit: Array, size: int, stretch: Sequence[bool]) -> Array:
    out = np.full(unit.shape, np.nan)
    for known, same in alike(unit):
        # The smallest of the parts that are left for fitting.
        if len(known) - -(-len(known) // FOLDS) < size:
            continue
        y = unit[np.ix_(known, same)]
        for n, (train, test) in enumerate(KFold(FOLDS, shuffle=True, random_state=0).split(known)):
            some = np.random.default_rng(n).permutation(train)[:size]
            wanted = [stretch[k] for k in same]
            out[np.ix_(known[test], same)] = held_out(kernel, known[some], known[test], y[some], wanted)
    return out
