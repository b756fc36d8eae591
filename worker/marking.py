"""From texts to scores: engine, features, head, rubric. No database, no queue."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from db.jobs import Claimed, Finished
from worker.advisories import advise
from worker.engine.base import Encoded
from worker.errors import ModelUnavailable, Unscorable, WorkerError
from worker.features.prompt import FEATURES as PROMPT_FEATURE_NAMES
from worker.head import Evidence, Head, Prediction, gather
from worker.head.evidence import words_in
from worker.head.taught import Taught
from worker.scoring import UnitScore, criterion_score, measured, overall_score, review_reasons

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.engine.base import Engine
    from worker.head.standing import Standing

log = logging.getLogger(__name__)

# The engine and the tokenizer see whole windows, so all of every text is read.
TEXT_COVERAGE = 1.0
PROMPTS_KEPT = 256
PROMPT_FEATURES = len(PROMPT_FEATURE_NAMES)


class Marker:
    """An engine with its head, and the head on surface features that stands in when the engine fails."""

    def __init__(
        self, engine: Engine | None, head: Head | None, fallback: Head, worker: str, why: str = "",
        standing: Standing | None = None, taught: Callable[[uuid.UUID], Taught] | None = None,
    ) -> None:  # fmt: skip
        self.engine, self.head, self.fallback, self.worker, self.why = engine, head, fallback, worker, why
        self.standing, self.taught = standing, taught
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
        encoded = self._encoded(held)
        began = perf_counter()
        evidence = gather(texts, prompts, encoded.vectors, self._prompt_vectors(prompts, encoded.vectors.shape[1]))
        return self._by_calibration(held, encoded, evidence, began)

    def _encoded(self, held: Sequence[Claimed]) -> Encoded:
        """Vectors of all jobs; those that are kept are not computed again."""
        assert self.engine is not None  # noqa: S101 - _mark has seen to it
        new = [n for n, job in enumerate(held) if job.vector is None]
        if len(new) == len(held):
            return self.engine.encode([job.text for job in held])
        made = self.engine.encode([held[n].text for n in new]) if new else None
        kept = next(job.vector for job in held if job.vector is not None)
        vectors = np.zeros((len(held), len(kept) // 2), np.float32)
        counts = np.zeros((2, len(held)), np.int64)
        for n, job in enumerate(held):
            if job.vector is not None:
                vectors[n] = np.frombuffer(job.vector, "<f2")
        if made is not None:
            vectors[new], counts[0, new], counts[1, new] = made.vectors, made.tokens, made.windows
        times = (made.tokenize_ms, made.inference_ms) if made else (0.0, 0.0)
        return Encoded(vectors, counts[0], counts[1], *times)

    def _by_calibration(
        self, held: Sequence[Claimed], encoded: Encoded, evidence: Evidence, began: float
    ) -> list[Finished]:
        """Scores each job by its rubric's own head, or by the one that comes along."""
        assert self.head is not None  # noqa: S101 - _mark has seen to it
        out: list[Finished] = []
        for calibration in sorted({job.calibration_id for job in held}, key=str):
            rows = np.array([n for n, job in enumerate(held) if job.calibration_id == calibration])
            jobs = [held[n] for n in rows]
            try:
                head = self.head if calibration is None else self._taught(calibration)
            except ModelUnavailable as error:
                out += [self._failed(job, error) for job in jobs]
                continue
            out += self._scored(jobs, head, encoded.pick(rows), evidence.pick(rows), began)
        return out

    def _taught(self, calibration: uuid.UUID) -> Taught:
        if self.taught is None:
            raise ModelUnavailable("this worker can't read calibrations")
        head = self.taught(calibration)
        if (head.model, head.revision) != (self.model, self.revision):
            raise ModelUnavailable(
                f"the rubric's calibration was made with {head.model} at {head.revision}, this worker holds {self.model} "
                f"at {self.revision}: calibrate again, or deactivate the calibration"
            )
        return head

    def encode(self, texts: Sequence[str]) -> list[bytes]:
        """Vectors of texts in the form in which they are kept."""
        if self.engine is None:
            raise ModelUnavailable(self.why)
        encoded = self.engine.encode(texts)
        return [encoded.vectors[n].astype("<f2").tobytes() for n in range(len(texts))]

    def default_scores(
        self, criteria: Sequence[dict[str, Any]], prompts: Sequence[str | None], vectors: NDArray[np.float32],
        counted: NDArray[np.float64],
    ) -> NDArray[np.float64]:  # fmt: skip
        """(n, C) from 0 to 1 by the head that comes along; NaN for a criterion that it can't score."""
        if self.head is None:
            raise ModelUnavailable(self.why)
        nothing = np.full((len(prompts), PROMPT_FEATURES), np.nan)
        done = self.head.predict(Evidence(vectors, counted, nothing, words_in(counted)))
        out = np.full((len(prompts), len(criteria)), np.nan)
        for k, criterion in enumerate(criteria):
            name = self.head.output_of(criterion)
            if name is not None:
                out[:, k] = done.scores[:, self.head.criteria.index(name)]
        return out

    def _scored(
        self,
        held: Sequence[Claimed],
        head: Head | Taught,
        encoded: Encoded | None,
        evidence: Evidence,
        began: float | None = None,
    ) -> list[Finished]:
        began = perf_counter() if began is None else began
        if not held:
            return []
        prediction = head.predict(evidence)
        on_topic = (self.head or self.fallback).on_topic(evidence)
        results = [self._result(job, n, head, prediction, evidence, float(on_topic[n])) for n, job in enumerate(held)]
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
        self, job: Claimed, n: int, head: Head | Taught, prediction: Prediction, evidence: Evidence, on_topic: float
    ) -> dict[str, Any] | Unscorable:
        try:
            places = measured(job.criteria, head)
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
            job.text, int(evidence.words[n]), job.prompt, on_topic, evidence.surface[n],
            unusual=prediction.unusual is not None and bool(prediction.unusual[n]),
        )  # fmt: skip
        pairs = zip(job.criteria, units, strict=True)
        return {
            "scores": [criterion_score(criterion, unit, prediction.confidence) for criterion, unit in pairs],
            "overall": overall_score(job.criteria, units, whole),
            "advisories": advisories,
            "scored_by": self._scored_by(head, job.calibration_id if isinstance(head, Taught) else None),
            "degraded": head.degraded,
            "review_reasons": review_reasons(whole, advisories, head.degraded),
        }

    def _scored_by(self, head: Head | Taught, calibration: uuid.UUID | None) -> dict[str, Any]:
        engine = None if head.degraded else self.engine
        return {
            "model": engine.model if engine else "",
            "revision": engine.revision if engine else "",
            "head": f"{head.name}@{head.version}",
            "engine": engine.name if engine else "surface",
            "device": engine.device if engine else "cpu",
            "worker": self.worker,
            "calibration": str(calibration) if calibration else None,
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
