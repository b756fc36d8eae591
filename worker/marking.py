"""From texts to scores: engine, features, head, rubric. No database, no queue."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from db.jobs import Claimed, Finished
from worker.advisories import advise
from worker.errors import ModelUnavailable, Unscorable, WorkerError
from worker.head import Evidence, Head, Prediction, gather
from worker.scoring import UnitScore, criterion_score, measured, overall_score, review_reasons

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.engine.base import Encoded, Engine

log = logging.getLogger(__name__)

# The engine and the tokenizer see whole windows, so all of every text is read.
TEXT_COVERAGE = 1.0
PROMPTS_KEPT = 256


class Marker:
    """An engine with its head, and the head on surface features that stands in when the engine fails."""

    def __init__(self, engine: Engine | None, head: Head | None, fallback: Head, worker: str, why: str = "") -> None:
        self.engine, self.head, self.fallback, self.worker, self.why = engine, head, fallback, worker, why
        self._prompts: dict[str, NDArray[np.float32]] = {}

    @property
    def model(self) -> str:
        return self.engine.model if self.engine else ""

    @property
    def revision(self) -> str:
        return self.engine.revision if self.engine else ""

    def mark(self, held: Sequence[Claimed]) -> list[Finished]:
        """Marks each job; what can't be marked carries an error instead. One bad text spoils no other."""
        if self.engine is not None and self.head is None:
            return [self._failed(job, ModelUnavailable(self.why)) for job in held]
        try:
            return self._mark(held)
        except (WorkerError, ArithmeticError, ValueError, RuntimeError, MemoryError) as error:
            if len(held) > 1:
                log.warning("a chunk of %d failed (%s); marking one by one", len(held), type(error).__name__)
                return [done for job in held for done in self.mark([job])]
            return [self._alone(held[0], error)]

    def _alone(self, job: Claimed, error: Exception) -> Finished:
        """What becomes of a single job that the engine could not read."""
        if self.engine is None or not job.allow_degraded or isinstance(error, Unscorable):
            return self._failed(job, error)
        log.exception("the engine failed on one text; the surface features grade it")
        return self._scored([job], self.fallback, None, gather([job.text], [job.prompt]))[0]

    def _mark(self, held: Sequence[Claimed]) -> list[Finished]:
        texts, prompts = [job.text for job in held], [job.prompt for job in held]
        if self.engine is None or self.head is None:
            refused = [self._failed(job, ModelUnavailable(self.why)) for job in held if not job.allow_degraded]
            kept = [job for job in held if job.allow_degraded]
            evidence = gather([job.text for job in kept], [job.prompt for job in kept])
            return refused + self._scored(kept, self.fallback, None, evidence)
        encoded = self.engine.encode(texts)
        began = perf_counter()
        evidence = gather(texts, prompts, encoded.vectors, self._prompt_vectors(prompts, encoded.vectors.shape[1]))
        return self._scored(held, self.head, encoded, evidence, began)

    def _scored(
        self,
        held: Sequence[Claimed],
        head: Head,
        encoded: Encoded | None,
        evidence: Evidence,
        began: float | None = None,
    ) -> list[Finished]:
        began = perf_counter() if began is None else began
        if not held:
            return []
        prediction = head.predict(evidence)
        results = [self._result(job, n, head, prediction, evidence) for n, job in enumerate(held)]
        after_ms = (perf_counter() - began) * 1000
        return [
            Finished(
                job.id, job.attempt, self._run(n, len(held), encoded, after_ms), result, vector=_vector(n, encoded)
            )
            if isinstance(result, dict)
            else self._failed(job, result)
            for n, (job, result) in enumerate(zip(held, results, strict=True))
        ]

    def _result(
        self, job: Claimed, n: int, head: Head, prediction: Prediction, evidence: Evidence
    ) -> dict[str, Any] | Unscorable:
        try:
            places = measured(job.criteria, head.criteria)
        except Unscorable as error:
            return error
        units = [
            UnitScore(float(prediction.scores[n, k]), float(prediction.low[n, k]), float(prediction.high[n, k]))
            for k in places
        ]
        whole = UnitScore(
            float(prediction.overall[n]), float(prediction.overall_low[n]), float(prediction.overall_high[n])
        )
        advisories = advise(
            job.text, int(evidence.words[n]), job.prompt, float(prediction.on_topic[n]), evidence.surface[n]
        )
        pairs = zip(job.criteria, units, strict=True)
        return {
            "scores": [criterion_score(criterion, unit, prediction.confidence) for criterion, unit in pairs],
            "overall": overall_score(job.criteria, units, whole),
            "advisories": advisories,
            "scored_by": self._scored_by(head),
            "degraded": head.degraded,
            "review_reasons": review_reasons(whole, advisories, head.degraded),
        }

    def _scored_by(self, head: Head) -> dict[str, Any]:
        engine = None if head.degraded else self.engine
        return {
            "model": engine.model if engine else "",
            "revision": engine.revision if engine else "",
            "head": f"{head.name}@{head.version}",
            "engine": engine.name if engine else "surface",
            "device": engine.device if engine else "cpu",
            "worker": self.worker,
            "calibration": None,
            "text_coverage": TEXT_COVERAGE,
        }

    def _run(self, n: int, size: int, encoded: Encoded | None, after_ms: float) -> dict[str, Any]:
        """The attempt's timings. A chunk is computed as one, so its times are those of the whole chunk."""
        engine = self.engine if encoded else None
        return {
            "model": engine.model if engine else None,
            "revision": engine.revision if engine else None,
            "engine": engine.name if engine else "surface",
            "device": engine.device if engine else "cpu",
            "batch_size": size,
            "tokens": int(encoded.tokens[n]) if encoded else None,
            "windows": int(encoded.windows[n]) if encoded else None,
            "tokenize_ms": encoded.tokenize_ms if encoded else 0.0,
            "inference_ms": (encoded.inference_ms if encoded else 0.0) + after_ms,
        }

    def _prompt_vectors(self, prompts: Sequence[str | None], width: int) -> NDArray[np.float32]:
        """Vectors of the assignment prompts, (n, D); NaN rows where there is none. A class shares its prompt: kept."""
        new = sorted({p for p in prompts if p} - self._prompts.keys())
        if new and self.engine is not None:
            if len(self._prompts) + len(new) > PROMPTS_KEPT:
                self._prompts.clear()
                new = sorted({p for p in prompts if p})
            self._prompts.update(zip(new, self.engine.encode(new).vectors, strict=True))
        nothing = np.full(width, np.nan, np.float32)
        return np.stack([self._prompts[p] if p else nothing for p in prompts])

    def _failed(self, job: Claimed, error: Exception) -> Finished:
        code = "model_unavailable" if isinstance(error, ModelUnavailable) else "unscorable"
        # Only our own errors are worded for people; others might quote the text.
        detail = str(error) if isinstance(error, WorkerError) else "The model could not score this text."
        problem = {
            "type": f"urn:gradeline:problem:{code}",
            "title": "The model is not available" if code == "model_unavailable" else "This text could not be scored",
            "status": 503 if code == "model_unavailable" else 422,
            "code": code,
            "detail": detail,
        }
        return Finished(job.id, job.attempt, {"engine": self.engine.name if self.engine else None}, error=problem)


def _vector(n: int, encoded: Encoded | None) -> bytes | None:
    return encoded.vectors[n].astype("<f2").tobytes() if encoded else None
