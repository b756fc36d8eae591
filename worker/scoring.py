"""From a head's predictions on the unit scale to the scores of a rubric, as the API shows them: a chunk at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from db.rubric import weights_of
from worker.errors import Unscorable
from worker.feedback import feedback

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.head.ridge import Head
    from worker.head.taught import Taught

    Array = NDArray[np.float64]

# An interval as wide as this part of the scale says little; a person should look.
WIDE = 0.6


@dataclass(frozen=True)
class Units:
    """Scores of n texts between 0 and 1 with their intervals, (n,) each."""

    score: Array
    low: Array
    high: Array


def criterion_scores(
    criterion: dict[str, Any], units: Units, confidence: float, counted: Array | None = None
) -> list[dict[str, Any]]:
    """The scores of n texts on one criterion: in points of its scale, with levels and what to do next.

    `counted` (n, F) are the texts' surface features, for the feedback.
    """
    scores = points(criterion, units.score)
    # Ends of intervals are not rounded to steps: on a short scale, rounded ones would hold far more than they say.
    free = {**criterion, "step": None}
    low, high = np.minimum(points(free, units.low), scores), np.maximum(points(free, units.high), scores)
    levels = levels_of(criterion, scores)
    fixed = {"criterion": criterion["name"], "min": criterion["min"], "max": criterion["max"], "confidence": confidence}
    return [
        {**fixed, "score": score, "interval": [bottom, top], "level": level, "feedback": lines}
        for score, bottom, top, level, lines in zip(
            scores.tolist(), low.tolist(), high.tolist(), levels, feedback(criterion, levels, counted), strict=True
        )
    ]


def points(criterion: dict[str, Any], units: Array) -> Array:
    """Unit scores in points of a criterion, on its steps when it has steps (to six decimals), else to two decimals."""
    low, high, step = float(criterion["min"]), float(criterion["max"]), criterion.get("step")
    values = low + (high - low) * np.clip(units, 0.0, 1.0)
    if step:
        values = low + np.rint((values - low) / step) * step
    return np.asarray(np.round(np.clip(values, low, high), 6 if step else 2), np.float64)


def levels_of(criterion: dict[str, Any], scores: Array) -> list[str | None]:
    """The highest level that begins at or below each score; None for a criterion without levels."""
    levels = sorted(criterion.get("levels") or [], key=lambda level: float(level["from"]))
    names = [None, *(str(level["name"]) for level in levels)]
    places = np.searchsorted([float(level["from"]) for level in levels], scores, side="right")
    return [names[place] for place in places.tolist()]


def measured(criteria: Sequence[dict[str, Any]], head: Head | Taught) -> list[int]:
    """For each criterion of a rubric, which output of the head scores it. Unscorable when the head has none."""
    places = []
    for criterion in criteria:
        name = head.output_of(criterion)
        if name is None:
            raise Unscorable(
                f"nothing scores the criterion '{criterion['name']}': calibrate the rubric with graded examples, or let it "
                f"measure one of {', '.join(head.criteria)}"
            )
        places.append(head.criteria.index(name))
    return places


def overall_scores(criteria: Sequence[dict[str, Any]], scores: Array, whole: Units) -> list[dict[str, Any]]:
    """The weighted means of the criteria's unit scores (n, C); intervals are as wide as the head's own for whole texts.

    They are given on the scale that all criteria share, or else from 0 to 100.
    """
    weights = np.array(weights_of(criteria))
    mean = scores @ weights / weights.sum()
    scales = {(float(c["min"]), float(c["max"])) for c in criteria}
    low, high = scales.pop() if len(scales) == 1 else (0.0, 100.0)
    scale = {"min": low, "max": high}
    ends = points(scale, mean - (whole.score - whole.low)), points(scale, mean + (whole.high - whole.score))
    columns = [column.tolist() for column in (points(scale, mean), *ends)]
    return [{"score": s, **scale, "interval": [bottom, top]} for s, bottom, top in zip(*columns, strict=True)]


def review_reasons(width: float, advisories: Sequence[dict[str, str]], degraded: bool) -> list[str]:
    """Why a person should look at a result; empty when nothing says so. `width` is the overall interval's, of 1."""
    reasons = [advisory["code"] for advisory in advisories]
    if degraded:
        reasons.append("degraded")
    if width > WIDE:
        reasons.append("wide_interval")
    return reasons
