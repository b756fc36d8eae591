"""How well scores agree with people's, in RSMTool's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import cohen_kappa_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Places = NDArray[np.int64]

# A scale without steps is compared in this many: kappa needs categories.
STEPS = 20
# Kappa's table has a row and a column for each category; a scale with more of them is compared in about this many.
MOST = 1000


def agreement_of(criteria: Sequence[dict[str, Any]], human: Array, unit: Array) -> dict[str, dict[str, Any]]:
    """The figures of each criterion that both have. `human` (n, C) on the rubric's scales, `unit` (n, C) from 0 to 1."""
    out = {}
    for k, criterion in enumerate(criteria):
        low, high = float(criterion["min"]), float(criterion["max"])
        machine = low + (high - low) * unit[:, k]
        both = ~np.isnan(human[:, k]) & ~np.isnan(machine)
        if both.sum() > 1:
            out[criterion["name"]] = figures(
                human[both, k], machine[both], low, high, step_of(criterion, human[both, k])
            )
    return out


def step_of(criterion: dict[str, Any], human: Array) -> float:
    """The step of a scale: as the rubric says, or whole points if all scores are whole and not too many, or a twentieth."""
    span = float(criterion["max"]) - float(criterion["min"])
    if criterion.get("step"):
        return float(criterion["step"])
    whole = np.allclose(human - float(criterion["min"]), np.rint(human - float(criterion["min"])))
    return 1.0 if whole and span <= 100 else span / STEPS


def figures(human: Array, machine: Array, low: float, high: float, step: float) -> dict[str, Any]:
    """QWK of both rounded to steps (scikit-learn's), Pearson's r, SMD = (M - H) / sd(H), exact and adjacent agreement."""
    places = places_of(human, low, high, step), places_of(machine, low, high, step)
    apart = np.abs(places[0] - places[1])
    agreed = kappa(*places, "quadratic")
    spread = float(human.std(ddof=1)) if len(human) > 1 else 0.0
    varies = spread > 0 and float(machine.std()) > 0
    return {
        "n": len(human),
        "qwk": None if agreed is None else round(agreed, 3),
        "pearson": round(float(np.corrcoef(human, machine)[0, 1]), 3) if varies else None,
        "smd": round(float(machine.mean() - human.mean()) / spread, 3) if spread else None,
        "exact": round(float((apart == 0).mean()), 3),
        "adjacent": round(float((apart <= 1).mean()), 3),
        "rmse": round(float(np.sqrt(np.mean((human - machine) ** 2))), 4),
    }


def places_of(scores: Array, low: float, high: float, step: float) -> Places:
    """Scores as the numbers of their steps, from 0."""
    return np.clip(np.rint((scores - low) / step), 0, round((high - low) / step)).astype(np.int64)


def kappa(one: Places, other: Places, weights: str | None = None) -> float | None:
    """Cohen's kappa (scikit-learn's) of numbers of steps; None when neither varies.

    Steps that nobody gave are categories too: without them, quadratic weights would take the ends of a gap for neighbours.
    """
    low, high = min(one.min(), other.min()), max(one.max(), other.max())
    if np.ptp(one) == 0 and np.ptp(other) == 0:
        return None
    coarse = 1 + int(high - low) // MOST
    first, second = (one - low) // coarse, (other - low) // coarse
    labels = np.arange((high - low) // coarse + 1)
    return float(cohen_kappa_score(first, second, labels=labels, weights=weights))


def mean_kappa(one: dict[str, dict[str, Any]], other: dict[str, dict[str, Any]]) -> float | None:
    """Mean QWK of the first over the criteria for which both have one."""
    shared = [one[c]["qwk"] for c in one if c in other and None not in (one[c]["qwk"], other[c]["qwk"])]
    return round(float(np.mean(shared)), 4) if shared else None


def coverage_of(criteria: Sequence[dict[str, Any]], human: Array, unit: Array, half: Array) -> float | None:
    """Share of human scores inside the intervals around their cross-validated predictions."""
    low, high = np.array([float(c["min"]) for c in criteria]), np.array([float(c["max"]) for c in criteria])
    apart = np.abs((human - low) / (high - low) - unit)
    known = ~np.isnan(apart)
    return round(float((apart <= half[:-1] + 1e-9)[known].mean()), 3) if known.any() else None
