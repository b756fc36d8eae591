"""The story of a calibration, without Celery: embed the examples a step at a time, then fit, measure and write."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from typing import Any

from threadpoolctl import threadpool_limits

from db import activation, baselines, calibrations
from db.calibration import Calibration
from db.calibrations import Lesson, Made
from db.embeddings import Kept, keep_vectors, read_vectors
from db.rubric import Rubric
from db.session import Database
from worker.engine import threads_of
from worker.errors import ModelUnavailable, WorkerError
from worker.marking import Marker
from worker.reading import as_kept
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)

# Texts between two looks at the clock, and seconds after which jobs get their turn.
SLICE, STEP_S = 16, 15.0
FEWEST = 10
# Up to so many graded examples, threads that fit wait for each other longer than they compute.
LARGE = 2_000


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
        self._finish(found, self._fitted(rubric, lessons, vectors))
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
        seen = reader.look([each.text for each in lessons], [None] * len(lessons))
        assert seen.vectors is not None  # noqa: S101 - the reader has an engine
        return {each.submission_id: as_kept(seen.vectors, seen.surface, n) for n, each in enumerate(lessons)}

    def _fitted(self, rubric: Rubric, lessons: list[Lesson], vectors: dict[uuid.UUID, bytes]) -> Made:
        # Only here: what fits and measures takes 100 MB, which a worker that only grades need not have.
        from worker.fitting import fitted

        if len(lessons) < FEWEST:
            raise ModelUnavailable(f"only {len(lessons)} of its submissions are left: the others were erased")
        with self.database.session() as session:
            active = activation.active_calibration(session, rubric.id)
        graded = sum(each.scores is not None for each in lessons)
        threads = threads_of(self.settings) if graded > LARGE else 1
        with threadpool_limits(threads, user_api="blas"):
            return fitted(self.marker, rubric, lessons, vectors, active)

    def _finish(self, found: Calibration, made: Made) -> None:
        with self.database.session() as session:
            calibrations.finish(session, found.id, self.name, made)
        with self.database.session() as session:
            baselines.settle(session)  # the sweep would do it too, a second later


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
