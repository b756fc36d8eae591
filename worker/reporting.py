"""From the examples of a calibration to its report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from db.calibrations import Lesson
from worker.head.standing import Standing
from worker.head.taught import Numbers
from worker.head.teaching import Criterion
from worker.report import Evaluated, report_of
from worker.report.learning import learning_curve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

log = logging.getLogger(__name__)

# Jobs wait while a curve is drawn.
CURVE_S = 10.0


def scores_of(given: Sequence[dict[str, float] | None], names: Sequence[str]) -> Array:
    """(n, C) on the rubric's scales; NaN where nobody graded."""
    return np.array([[(each or {}).get(name, np.nan) for name in names] for each in given], np.float64)


def calibration_report(
    criteria: Sequence[dict[str, Any]], lessons: Sequence[Lesson], inputs: Array, surface: int, predicted: Array,
    numbers: Numbers, wanted: Sequence[Criterion], standing: Standing,
) -> dict[str, Any] | None:  # fmt: skip
    """Figures and points of the held-out predictions; None when nobody graded, or when they can't be computed."""
    names = [c["name"] for c in criteria]
    human = scores_of([each.scores for each in lessons], names)
    if np.isnan(human).all():
        return None
    try:
        curve = learning_curve(inputs, surface, human, wanted, standing, CURVE_S)
        second = scores_of([each.scores_2 for each in lessons], names)
        found = Evaluated(human, predicted, second, _groups(lessons), numbers.half_widths, curve)
        return report_of(criteria, found)
    except (ValueError, ArithmeticError):
        # A head that was made is worth more than its report.
        log.exception("the report of a calibration could not be made")
        return None


def _groups(lessons: Sequence[Lesson]) -> dict[str, list[str | None]]:
    """Each way of grouping, with a label (or none) for each example."""
    names = sorted({name for each in lessons for name in each.groups or {}})
    return {name: [(each.groups or {}).get(name) for each in lessons] for name in names}
