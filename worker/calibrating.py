"""The story of a calibration, without Celery: embed the examples a step at a time, then fit, measure and write."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from db import baselines, calibrations
from db.calibration import Calibration
from db.calibrations import Lesson, Made
from db.embeddings import Kept, keep_vectors, read_vectors
from db.rubric import Rubric
from db.session import Database
from worker.engine import threads_of
from worker.errors import ModelUnavailable, WorkerError
from worker.features.surface import surface
from worker.head.agreement import agreement_of, coverage_of, mean_kappa
from worker.head.taught import packed
from worker.head.teaching import Criterion, teach
from worker.marking import Marker
from worker.reading import as_kept
from worker.reporting import calibration_report, scores_of
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

# Texts between two looks at the clock, and seconds after which jobs get their turn.
SLICE, STEP_S = 16, 15.0
FEWEST = 10


class Calibrating:
    """Makes heads for rubrics. One object a child, used by the thread that grades."""

    def __init__(self, database: Database, marker: Marker, settings: WorkerSettings, name: str) -> None:
        self.database, self.marker, self.settings, self.name = database, marker, settings, name
        self.held: uuid.UUID | None = None  # the heart renews its lease

    def step(self, calibration_id: uuid.UUID) -> bool:
        """One step; True when another one is needed. A message that is delivered again finds nothing to claim."""
        with self.database.session() as session:
            found = calibrations.claim(session, calibration_id, self.name, self.settings.lease_s)
            if found is None:
                return False
            lessons = calibrations.lessons(session, calibration_id)
            rubric = session.get_one(Rubric, found.rubric_id)
        self.held = calibration_id
        try:
            return self._go_on(found, rubric, lessons)
        except (WorkerError, ValueError, ArithmeticError) as error:
            log.exception("calibration %s failed", calibration_id)
            self._finish(found, Made(error=_problem(error)))
            return False
        finally:
            self.held = None

    def _go_on(self, found: Calibration, rubric: Rubric, lessons: list[Lesson]) -> bool:
        engine = self.marker.engine
        if engine is None or self.marker.standing is None:
            raise ModelUnavailable(self.marker.why or "the encoder can't be loaded, and a calibration needs it")
        vectors, done = self._vectors(lessons)
        if not done:
            with self.database.session() as session:
                calibrations.pause(session, found.id, self.name, len(vectors))
            return True
        with threadpool_limits(threads_of(self.settings), user_api="blas"):
            made = self._fitted(rubric, lessons, vectors)
        self._finish(found, made)
        return False

    def _vectors(self, lessons: Sequence[Lesson]) -> tuple[dict[uuid.UUID, bytes], bool]:
        """The kept vectors and as many new ones as a step has time for; whether these are all."""
        model, revision = self.marker.model, self.marker.revision
        began = time.monotonic()
        with self.database.session() as session:
            vectors = read_vectors(session, [each.submission_id for each in lessons], model, revision)
        missing = [each for each in lessons if each.submission_id not in vectors]
        while missing:
            now, missing = missing[:SLICE], missing[SLICE:]
            new = self._read(now)
            with self.database.session() as session:
                keep_vectors(session, new, model, revision)
            vectors.update({submission: vector for submission, (vector, _) in new.items()})
            if time.monotonic() - began >= STEP_S:  # looked at after a slice: however slow, every step gets on
                break
        return vectors, not missing

    def _read(self, lessons: Sequence[Lesson]) -> dict[uuid.UUID, Kept]:
        reader = self.marker.reader
        assert reader is not None  # noqa: S101 - _go_on has seen to it
        texts = [each.text for each in lessons]
        vectors, counted = reader.encode(texts).vectors, surface(texts)
        return {each.submission_id: as_kept(vectors, counted, n) for n, each in enumerate(lessons)}

    def _fitted(self, rubric: Rubric, lessons: list[Lesson], vectors: dict[uuid.UUID, bytes]) -> Made:
        graded = sum(each.scores is not None for each in lessons)
        if len(lessons) < FEWEST:
            raise ModelUnavailable(f"only {len(lessons)} of its submissions are left: the others were erased")
        rows = np.stack([np.frombuffer(vectors[each.submission_id], "<f2") for each in lessons]).astype(np.float64)
        counted = surface([each.text for each in lessons]).astype(np.float32).astype(np.float64)
        scores = _scores(lessons, rubric)
        standing = self.marker.standing
        assert standing is not None  # noqa: S101 - _go_on has seen to it
        wanted = [_criterion(c) for c in rubric.criteria]
        inputs, width = np.hstack([rows, counted]), counted.shape[1]
        numbers, predicted = teach(inputs, width, scores, wanted, standing)
        data, sha256 = packed(numbers)
        before = self._before(rubric, lessons, rows, counted) if graded else None
        card = {
            "model": self.marker.model,
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
        report = calibration_report(rubric.criteria, lessons, inputs, width, predicted, numbers, wanted, standing)
        return Made(self.marker.revision, data, sha256, card, report)

    def _before(
        self, rubric: Rubric, lessons: list[Lesson], rows: NDArray[np.float64], counted: NDArray[np.float64]
    ) -> dict[str, dict[str, Any]]:
        """The agreement of the head in use. A taught one may have learned from these very examples: its held-out
        figures are taken, which stand in its card. The head that comes along knows none of them."""
        with self.database.session() as session:
            active = calibrations.active_calibration(session, rubric.id)
        if active is not None and active.card is not None and active.card.get("agreement"):
            return dict(active.card["agreement"])
        prompts = [each.prompt for each in lessons]
        unit = self.marker.default_scores(rubric.criteria, prompts, rows.astype(np.float32), counted)
        return agreement_of(rubric.criteria, _scores(lessons, rubric), unit)

    def _finish(self, found: Calibration, made: Made) -> None:
        with self.database.session() as session:
            calibrations.finish(session, found.id, self.name, made)
        with self.database.session() as session:
            baselines.settle(session)  # the sweep would do it too, a second later


def _criterion(stored: dict[str, Any]) -> Criterion:
    low, high, weight = float(stored["min"]), float(stored["max"]), float(stored.get("weight") or 0.0)
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


def _problem(error: Exception) -> dict[str, Any]:
    code = "model_unavailable" if isinstance(error, ModelUnavailable) else "uncalibrated"
    detail = str(error) if isinstance(error, WorkerError) else "The head could not be fitted to these examples."
    return {
        "type": f"urn:gradeline:problem:{code}",
        "title": "The calibration could not be made",
        "status": 503 if code == "model_unavailable" else 422,
        "code": code,
        "detail": detail,
    }
