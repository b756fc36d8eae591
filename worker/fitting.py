"""From a calibration's examples to its head, and what is known of it: agreement beside the head in use, and the report."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from db.calibration import Calibration
from db.calibrations import Lesson, Made
from db.rubric import Rubric, weights_of
from worker.features.surface import surface
from worker.head.agreement import agreement_of, coverage_of, mean_kappa
from worker.head.taught import packed
from worker.head.teaching import Criterion, teach
from worker.marking import Marker
from worker.reporting import calibration_report, scores_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fitted(
    marker: Marker, rubric: Rubric, lessons: list[Lesson], vectors: Mapping[uuid.UUID, bytes],
    active: Calibration | None,
) -> Made:  # fmt: skip
    """The head that these lessons teach, with its card and report. `active` is the calibration in use, if there is one."""
    assert marker.standing is not None  # noqa: S101 - Calibrating has seen to it
    rows = np.stack([np.frombuffer(vectors[each.submission_id], "<f2") for each in lessons]).astype(np.float64)
    counted = surface([each.text for each in lessons]).astype(np.float32).astype(np.float64)
    scores = _scores(lessons, rubric)
    wanted = [_criterion(*each) for each in zip(rubric.criteria, weights_of(rubric.criteria), strict=True)]
    inputs, width = np.hstack([rows, counted]), counted.shape[1]
    numbers, predicted = teach(inputs, width, scores, wanted, marker.standing)
    data, sha256 = packed(numbers)
    graded = any(each.scores is not None for each in lessons)
    before = _before(marker, rubric, lessons, rows, counted, active) if graded else None
    card = {
        "model": marker.model,
        "criteria": [c.name for c in wanted],
        "importance": [c.weight for c in wanted],
        "features": counted.shape[1],
        **_figures(rubric, scores, predicted, before, numbers.half_widths),
        "baseline": {
            "submissions": len(lessons),
            "words_mean": round(float(np.expm1(counted[:, 0]).mean()), 1),
            "words_sd": round(float(np.expm1(counted[:, 0]).std()), 1),
        },
    }
    report = calibration_report(rubric.criteria, lessons, inputs, width, predicted, numbers, wanted, marker.standing)
    return Made(marker.revision, data, sha256, card, report)


def _before(
    marker: Marker, rubric: Rubric, lessons: list[Lesson], rows: NDArray[np.float64], counted: NDArray[np.float64],
    active: Calibration | None,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """The agreement of the head in use. A taught one may have learned from these very examples: its held-out
    figures are taken, which stand in its card. The head that comes along knows none of them."""
    if active is not None and active.card is not None and active.card.get("agreement"):
        return dict(active.card["agreement"])
    prompts = [each.prompt for each in lessons]
    unit = marker.default_scores(rubric.criteria, prompts, rows.astype(np.float32), counted)
    return agreement_of(rubric.criteria, _scores(lessons, rubric), unit)


def _criterion(stored: dict[str, Any], weight: float) -> Criterion:
    low, high = float(stored["min"]), float(stored["max"])
    return Criterion(stored["name"], stored.get("measures"), low, high, weight, stretch=bool(stored.get("step")))


def _scores(lessons: Sequence[Lesson], rubric: Rubric) -> NDArray[np.float64]:
    """(n, C) on the rubric's scales; NaN where nobody graded."""
    return scores_of([each.scores for each in lessons], [c["name"] for c in rubric.criteria])


def _figures(
    rubric: Rubric, scores: NDArray[np.float64], predicted: NDArray[np.float64],
    earlier: dict[str, dict[str, Any]] | None, half: NDArray[np.float64],
) -> dict[str, Any]:  # fmt: skip
    """Agreement by cross-validation, beside that of the head in use on the same examples."""
    if earlier is None:
        return {"agreement": None, "agreement_before": None, "coverage": None, "better": None}
    agreement = agreement_of(rubric.criteria, scores, predicted)
    now, then = mean_kappa(agreement, earlier), mean_kappa(earlier, agreement)
    return {
        "agreement": agreement,
        "agreement_before": earlier,
        "coverage": coverage_of(rubric.criteria, scores, predicted, half),
        "kappa": now,
        "kappa_before": then,
        # A criterion that nothing could score before has nothing to be compared with.
        "better": now is None or then is None or now >= then,
    }
