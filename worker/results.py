"""What is written of a text: its scores in a rubric's points with all that belongs to them, or the problem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from db.jobs import Claimed
from worker.advisories import advise
from worker.errors import ModelUnavailable, Unscorable, WorkerError
from worker.explaining import reasons_of
from worker.head.taught import Taught
from worker.scoring import UnitScore, criterion_score, measured, overall_score, review_reasons

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.engine.base import Engine
    from worker.head import Evidence, Head, Prediction

# The engine and the tokenizer see whole windows, so all of every text is read.
TEXT_COVERAGE = 1.0
# Texts, all with one assignment prompt -> what a head looks at
Read = Callable[[Sequence[str], str | None], "Evidence"]


def result_of(
    job: Claimed, n: int, head: Head | Taught, prediction: Prediction, evidence: Evidence, on_topic: float,
    engine: Engine | None, worker: str, read: Read,
) -> dict[str, Any] | Unscorable:  # fmt: skip
    """The columns of a result for the n-th text of the evidence, or why there are none."""
    try:
        places = measured(job.criteria, head)
    except Unscorable as error:
        return error
    units = [
        UnitScore(float(prediction.scores[n, k]), float(prediction.low[n, k]), float(prediction.high[n, k]))
        for k in places
    ]
    whole = UnitScore(float(prediction.overall[n]), float(prediction.overall_low[n]), float(prediction.overall_high[n]))
    advisories = _advisories(job, n, prediction, evidence, on_topic)
    pairs = zip(job.criteria, units, strict=True)
    counted = evidence.surface[n]
    scores = [criterion_score(criterion, unit, prediction.confidence, counted) for criterion, unit in pairs]
    if job.explain:
        _explain(job, scores, head, places, read)
    topic = evidence.prompt[n]
    return {
        "scores": scores,
        "overall": overall_score(job.criteria, units, whole),
        "advisories": advisories,
        "scored_by": scored_by(head, job, engine, worker),
        "degraded": head.degraded,
        "review_reasons": review_reasons(whole, advisories, head.degraded),
        "topic": None if np.isnan(topic).any() else topic.tolist(),
    }


def _advisories(
    job: Claimed, n: int, prediction: Prediction, evidence: Evidence, on_topic: float
) -> list[dict[str, str]]:
    unusual = prediction.unusual is not None and bool(prediction.unusual[n])
    if job.advisories is not None and not unusual:
        # The text is the same as before; only what its calibration thinks of it may have changed.
        return [each for each in job.advisories if each["code"] != "unusual_for_calibration"]
    words, row = int(evidence.words[n]), evidence.surface[n]
    return advise(job.text, words, job.prompt, on_topic, row, unusual=unusual)


def _explain(job: Claimed, scores: list[dict[str, Any]], head: Head | Taught, places: list[int], read: Read) -> None:
    def unit(texts: Sequence[str]) -> NDArray[np.float64]:
        return np.asarray(head.predict(read(texts, job.prompt)).scores[:, places])

    for score, reasons in zip(scores, reasons_of(job.text, job.criteria, unit), strict=True):
        score["reasons"] = reasons


def scored_by(head: Head | Taught, job: Claimed, engine: Engine | None, worker: str) -> dict[str, Any]:
    """Who and what made the scores."""
    return {
        "model": engine.model if engine else "",
        "revision": engine.revision if engine else "",
        "head": f"{head.name}@{head.version}",
        "engine": engine.name if engine else "surface",
        "device": engine.device if engine else "cpu",
        "worker": worker,
        "calibration": str(job.calibration_id) if job.calibration_id and isinstance(head, Taught) else None,
        "text_coverage": TEXT_COVERAGE,
    }


def problem_of(error: Exception) -> dict[str, Any]:
    """Why a job has failed, as the API shows it."""
    away = isinstance(error, ModelUnavailable)
    code = "model_unavailable" if away else "unscorable"
    return {
        "type": f"urn:gradeline:problem:{code}",
        "title": "The model is not available" if away else "This text could not be scored",
        "status": 503 if away else 422,
        "code": code,
        # Only our own errors are worded for people; others might quote the text.
        "detail": str(error) if isinstance(error, WorkerError) else "The model could not score this text.",
    }
