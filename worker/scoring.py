"""From a head's prediction on the unit scale to the scores of a rubric, as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.errors import Unscorable
from worker.feedback import feedback

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from worker.head.ridge import Head
    from worker.head.taught import Taught

# An interval as wide as this part of the scale says little; a person should look.
WIDE = 0.6


@dataclass(frozen=True)
class UnitScore:
    """One number between 0 and 1 with its interval."""

    score: float
    low: float
    high: float


def criterion_score(
    criterion: dict[str, Any], unit: UnitScore, confidence: float, counted: NDArray[np.float64] | None = None
) -> dict[str, Any]:
    """The score of one criterion: in points of its scale, with its level and what to do next.

    `counted` (F,) are the text's surface features, for the feedback.
    """
    score = points(criterion, unit.score)
    level = level_of(criterion, score)
    return {
        "criterion": criterion["name"],
        "score": score,
        "min": criterion["min"],
        "max": criterion["max"],
        "interval": _interval(criterion, unit, score),
        "confidence": confidence,
        "level": level,
        "feedback": feedback(criterion, level, counted),
    }


def _interval(criterion: dict[str, Any], unit: UnitScore, score: float) -> list[float]:
    """Its ends are not rounded to steps: on a short scale, rounded ones would hold far more than they say."""
    free = {**criterion, "step": None}
    return [min(points(free, unit.low), score), max(points(free, unit.high), score)]


def points(criterion: dict[str, Any], unit: float) -> float:
    """A unit score in points of a criterion, on its steps when it has steps, else to two decimals."""
    low, high, step = float(criterion["min"]), float(criterion["max"]), criterion.get("step")
    value = low + (high - low) * min(1.0, max(0.0, unit))
    if step:
        value = low + round((value - low) / step) * step
    return round(min(high, max(low, value)), 2)


def level_of(criterion: dict[str, Any], score: float) -> str | None:
    """The highest level that begins at or below a score; None for a criterion without levels."""
    reached = [level for level in criterion.get("levels") or [] if level["from"] <= score]
    return str(max(reached, key=lambda level: float(level["from"]))["name"]) if reached else None


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


def overall_score(criteria: Sequence[dict[str, Any]], scores: Sequence[UnitScore], whole: UnitScore) -> dict[str, Any]:
    """The weighted mean of the criteria; its interval is as wide as the head's own for the whole text.

    It is given on the scale that all criteria share, or else from 0 to 100.
    """
    weights = [float(c.get("weight") or 1.0) for c in criteria]
    mean = sum(w * s.score for w, s in zip(weights, scores, strict=True)) / sum(weights)
    scales = {(float(c["min"]), float(c["max"])) for c in criteria}
    low, high = scales.pop() if len(scales) == 1 else (0.0, 100.0)
    scale = {"min": low, "max": high}
    interval = [points(scale, mean - (whole.score - whole.low)), points(scale, mean + (whole.high - whole.score))]
    return {"score": points(scale, mean), **scale, "interval": interval}


def review_reasons(whole: UnitScore, advisories: Sequence[dict[str, str]], degraded: bool) -> list[str]:
    """Why a person should look at a result; empty when nothing says so."""
    reasons = [advisory["code"] for advisory in advisories]
    if degraded:
        reasons.append("degraded")
    if whole.high - whole.low > WIDE:
        reasons.append("wide_interval")
    return reasons
