"""From texts to scores: engine, features, head, rubric. No database, no queue."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from db.work import Claimed, Finished, Scorer
from worker.engine.base import Encoded
from worker.errors import EngineFailed, ModelUnavailable, Unscorable, WorkerError
from worker.features.prompt import FEATURES as PROMPT_FEATURES
from worker.features.prompt import NO_CENTRE
from worker.head import Evidence, Head, gather
from worker.head.evidence import words_in
from worker.head.taught import Taught
from worker.reading import Reader, as_kept, without_engine
from worker.results import Judged, problem_of, results_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.engine.base import Engine
    from worker.head.standing import Standing

log = logging.getLogger(__name__)

# Scores jobs that an engine reads, when it has read them.
Ending = Callable[[], list[Finished]]
FAILURES = (WorkerError, ArithmeticError, ValueError, RuntimeError, MemoryError)
# Chunks in a row of which the engine could read no text; after these it is taken for broken.
BROKEN_AFTER = 3


def _fail(error: Exception) -> list[Finished]:
    raise error


class Marker:
    """An engine with its head, and the head on surface features that stands in when the engine fails."""

    def __init__(
        self, engine: Engine | None, head: Head | None, fallback: Head, worker: str, why: str = "",
        standing: Standing | None = None, taught: Callable[[uuid.UUID], Taught] | None = None,
    ) -> None:  # fmt: skip
        self.engine, self.head, self.fallback, self.worker, self.why = engine, head, fallback, worker, why
        self.standing, self.taught = standing, taught
        self.reader = Reader(engine, head.centre if head else NO_CENTRE) if engine else None
        self._failures = 0

    @property
    def model(self) -> str:
        return self.engine.model if self.engine else ""

    @property
    def revision(self) -> str:
        return self.engine.revision if self.engine else ""

    @property
    def broken(self) -> bool:
        """Whether the engine is missing or has failed on everything lately: it should be loaded again."""
        return self.engine is None or self._failures >= BROKEN_AFTER

    def scorer(self, reuse: bool) -> Scorer:
        """What results must have been scored with to be used again."""
        if self.engine is None or self.head is None:
            return Scorer()
        return Scorer(self.model, self.revision, self.engine.name, f"{self.head.name}@{self.head.version}", reuse)

    def mark(self, held: Sequence[Claimed]) -> list[Finished]:
        """Marks each job; what can't be marked carries an error instead. One bad text spoils no other."""
        return self.begin(held)()

    def begin(self, held: Sequence[Claimed]) -> Ending:
        """Marks jobs, as `mark` does: returns as soon as the engine can take other texts. The ending waits for it, scores
        what it has read, and may be called by another thread."""
        known = [self._again(job, len(held)) for job in held if job.known is not None]
        new = [job for job in held if job.known is None]
        if self.engine is not None and self.head is None:
            failed = [self._failed(job, ModelUnavailable(self.why)) for job in new]
            return lambda: failed
        if not new:
            return lambda: known
        ended = partial(self._ended, new, self._begun(new))
        if any(job.explain for job in new):  # which takes the engine for long, and so counts to this chunk's time
            done = ended()
            return lambda: known + done
        return lambda: known + ended()

    def _again(self, job: Claimed, size: int) -> Finished:
        """The result of the same text by the same head, once more."""
        return Finished(
            job.id, job.attempt, self._run(0, size, None, 0.0, self.engine), {**(job.known or {}), "cached": True}
        )

    def _begun(self, held: Sequence[Claimed]) -> Ending:
        """The ending of these jobs; what has failed already fails there."""
        try:
            return self._mark(held)
        except FAILURES as error:
            return partial(_fail, error)

    def _ended(self, held: Sequence[Claimed], ending: Ending) -> list[Finished]:
        try:
            done = ending()
        except FAILURES as error:
            if len(held) > 1:
                log.warning("a chunk of %d failed (%s); marking one by one", len(held), type(error).__name__)
                return [done for job in held for done in self._ended([job], self._begun([job]))]
            return [self._alone(held[0], error)]
        self._failures = 0
        return done

    def _alone(self, job: Claimed, error: Exception) -> Finished:
        """What becomes of a single job that the engine could not read."""
        self._failures += isinstance(error, EngineFailed)
        if self.engine is None or not job.allow_degraded or isinstance(error, Unscorable):
            return self._failed(job, error)
        log.exception("the engine failed on one text; the surface features grade it")
        return self._scored([job], self.fallback, None, without_engine([job]))[0]

    def _mark(self, held: Sequence[Claimed]) -> Ending:
        if self.reader is None or self.head is None:
            return partial(self._without_engine, held)
        began = perf_counter()
        rest = self.reader.begin(held)

        def ending() -> list[Finished]:
            encoded, evidence = rest()
            since = began + (encoded.tokenize_ms + encoded.inference_ms) / 1000
            return self._by_calibration(held, encoded, evidence, since)

        return ending

    def _without_engine(self, held: Sequence[Claimed]) -> list[Finished]:
        refused = [self._failed(job, ModelUnavailable(self.why)) for job in held if not job.allow_degraded]
        kept = [job for job in held if job.allow_degraded]
        return refused + (self._scored(kept, self.fallback, None, without_engine(kept)) if kept else [])

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

    def default_scores(
        self, criteria: Sequence[dict[str, Any]], prompts: Sequence[str | None], vectors: NDArray[np.float32],
        counted: NDArray[np.float64],
    ) -> NDArray[np.float64]:  # fmt: skip
        """(n, C) from 0 to 1 by the head that comes along; NaN for a criterion that it can't score."""
        if self.head is None:
            raise ModelUnavailable(self.why)
        nothing = np.full((len(prompts), len(PROMPT_FEATURES)), np.nan)
        done = self.head.predict(Evidence(vectors, counted, nothing, words_in(counted)))
        out = np.full((len(prompts), len(criteria)), np.nan)
        for k, criterion in enumerate(criteria):
            name = self.head.output_of(criterion)
            if name is not None:
                out[:, k] = done.scores[:, self.head.criteria.index(name)]
        return out

    def _scored(
        self, held: Sequence[Claimed], head: Head | Taught, encoded: Encoded | None, evidence: Evidence,
        began: float | None = None,
    ) -> list[Finished]:  # fmt: skip
        began = perf_counter() if began is None else began
        engine = None if head.degraded else self.engine
        prediction = head.predict(evidence)
        on_topic = (self.head or self.fallback).on_topic(evidence)
        mark = self.reader.mark if self.reader else 0.0
        judged = Judged(head, prediction, evidence, on_topic, mark, engine, self.worker, self._evidence_of(head))
        results = results_of(held, judged)
        after_ms = (perf_counter() - began) * 1000
        return [
            self._failed(job, result) if isinstance(result, Unscorable)
            else self._finished(job, n, len(held), encoded, evidence, after_ms, result)
            for n, (job, result) in enumerate(zip(held, results, strict=True))
        ]  # fmt: skip

    def _finished(
        self, job: Claimed, n: int, size: int, encoded: Encoded | None, evidence: Evidence, after_ms: float,
        result: dict[str, Any],
    ) -> Finished:  # fmt: skip
        # What came out of the database need not go back.
        new = encoded is not None and (job.vector is None or job.surface is None)
        kept = as_kept(encoded.vectors, evidence.surface, n) if encoded and new else (None, None)
        run = self._run(n, size, encoded, after_ms, self.engine if encoded else None)
        return Finished(job.id, job.attempt, run, result, None, *kept)

    def _evidence_of(self, head: Head | Taught) -> Callable[[Sequence[str], str | None], Evidence]:
        """Reads texts as `head` looks at them: for explanations."""

        def read(texts: Sequence[str], prompt: str | None) -> Evidence:
            prompts = [prompt] * len(texts)
            if head.degraded or self.reader is None:
                return gather(texts, prompts)
            return self.reader.look(texts, prompts)

        return read

    def _run(
        self, n: int, size: int, encoded: Encoded | None, after_ms: float, engine: Engine | None
    ) -> dict[str, Any]:
        """The attempt's timings. A chunk is computed as one, so its times are those of the whole chunk."""
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

    def _failed(self, job: Claimed, error: Exception) -> Finished:
        run = {"engine": self.engine.name if self.engine else None}
        return Finished(job.id, job.attempt, run, error=problem_of(error))
