"""What is written of texts: their scores in a rubric's points with all that belongs to them, or the problem."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from db.work import Claimed
from worker.advisories import advise
from worker.errors import ModelUnavailable, Unscorable, WorkerError
from worker.explaining import reasons_of
from worker.head.taught import Taught
from worker.reasons import OUT_OF_MEMORY
from worker.scoring import Units, criterion_scores, measured, overall_scores, review_reasons

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.engine.base import Engine
    from worker.head import Evidence, Head, Prediction

# The engine and the tokenizer see whole windows, so all of every text is read.
TEXT_COVERAGE = 1.0
# Texts, all with one assignment prompt -> what a head looks at
Read = Callable[[Sequence[str], str | None], "Evidence"]
# The columns of a result, or why there are none
Columns = dict[str, Any] | Unscorable


@dataclass(frozen=True)
class Judged:
    """What a head thinks of n jobs, and what it looked at."""

    head: Head | Taught
    prediction: Prediction
    evidence: Evidence
    on_topic: NDArray[np.float64]  # (n,) NaN without an assignment prompt
    mark: float  # of the centre that the prompt features were made with
    engine: Engine | None
    worker: str
    read: Read


def results_of(held: Sequence[Claimed], judged: Judged) -> list[Columns]:
    """The columns of each job's result, or why there are none. Jobs of one rubric are done together."""
    groups: dict[uuid.UUID, list[int]] = {}
    for n, job in enumerate(held):
        groups.setdefault(job.rubric_id, []).append(n)
    out: dict[int, Columns] = {}
    for rows in groups.values():
        out |= zip(rows, _of_rubric(held, np.array(rows), judged), strict=True)
    return [out[n] for n in range(len(held))]


def _of_rubric(held: Sequence[Claimed], rows: NDArray[np.int64], judged: Judged) -> Sequence[Columns]:
    criteria, seen = held[rows[0]].criteria, judged.prediction
    try:
        places = measured(criteria, judged.head)
    except Unscorable as error:
        return [error] * len(rows)
    counted = judged.evidence.surface[rows]
    columns = [
        criterion_scores(
            criterion, Units(seen.scores[rows, k], seen.low[rows, k], seen.high[rows, k]), seen.confidence, counted
        )
        for criterion, k in zip(criteria, places, strict=True)
    ]
    whole = Units(seen.overall[rows], seen.overall_low[rows], seen.overall_high[rows])
    overall = overall_scores(criteria, seen.scores[rows][:, places], whole)
    scores = [list(each) for each in zip(*columns, strict=True)]
    return [
        _columns(held[n], int(n), scores[i], overall[i], float(whole.high[i] - whole.low[i]), judged)
        for i, n in enumerate(rows)
    ]


def _columns(
    job: Claimed, n: int, scores: list[dict[str, Any]], overall: dict[str, Any], width: float, judged: Judged
) -> dict[str, Any]:
    if job.explain:
        _explain(job, scores, judged)
    advisories = _advisories(job, n, judged)
    topic = [*judged.evidence.prompt[n].tolist(), judged.mark]
    return {
        "scores": scores,
        "overall": overall,
        "advisories": advisories,
        "scored_by": scored_by(job, judged),
        "degraded": judged.head.degraded,
        "review_reasons": review_reasons(width, advisories, judged.head.degraded),
        "topic": None if any(value != value for value in topic) else topic,  # NaN without an assignment prompt
    }


def _advisories(job: Claimed, n: int, judged: Judged) -> list[dict[str, str]]:
    unusual = judged.prediction.unusual is not None and bool(judged.prediction.unusual[n])
    if job.advisories is not None and not unusual:
        # The text is the same as before; only what its calibration thinks of it may have changed.
        return [each for each in job.advisories if each["code"] != "unusual_for_calibration"]
    words, row = int(judged.evidence.words[n]), judged.evidence.surface[n]
    noticed = judged.evidence.noticed[n] if judged.evidence.noticed else None
    return advise(job.text, words, job.prompt, float(judged.on_topic[n]), row, unusual, noticed)


def _explain(job: Claimed, scores: list[dict[str, Any]], judged: Judged) -> None:
    places = measured(job.criteria, judged.head)

    def unit(texts: Sequence[str]) -> NDArray[np.float64]:
        return np.asarray(judged.head.predict(judged.read(texts, job.prompt)).scores[:, places])

    for score, reasons in zip(scores, reasons_of(job.text, job.criteria, unit), strict=True):
        score["reasons"] = reasons


def scored_by(job: Claimed, judged: Judged) -> dict[str, Any]:
    """Who and what made the scores."""
    engine, head = judged.engine, judged.head
    return {
        "model": engine.model if engine else "",
        "revision": engine.revision if engine else "",
        "head": f"{head.name}@{head.version}",
        "engine": engine.name if engine else "surface",
        "device": engine.device if engine else "cpu",
        "worker": judged.worker,
        "calibration": str(job.calibration_id) if job.calibration_id and isinstance(head, Taught) else None,
        "text_coverage": TEXT_COVERAGE,
    }


def problem_of(error: Exception) -> dict[str, Any]:
    """Why a job has failed, as the API shows it."""
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
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
