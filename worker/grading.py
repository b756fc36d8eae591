"""The story of a chunk, without Celery: claim, read, score, write, and ask for more."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from typing import Any

from db import jobs
from db.errors import DatabaseAway
from db.jobs import Claimed, Finished
from db.session import Database
from worker.marking import Marker
from worker.pace import Pace
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)

HANDED_BACK = {
    "type": "urn:gradeline:problem:timed_out",
    "title": "The attempt took too long",
    "status": 500,
    "code": "timed_out",
    "detail": "The worker could not finish this job in the time that a chunk may take.",
}


class Holding:
    """The jobs that this child holds now; the beat thread renews their leases."""

    def __init__(self) -> None:
        self.jobs: tuple[Claimed, ...] = ()


class Grading:
    """Grades chunks. One object a child, used by one thread; `holding` is read by the beat thread."""

    def __init__(self, database: Database, marker: Marker, settings: WorkerSettings, name: str) -> None:
        self.database, self.marker, self.settings, self.name = database, marker, settings, name
        self.holding, self.pace = Holding(), Pace()

    def chunk(self, ids: Sequence[uuid.UUID], queue: str = "") -> int:
        """Grades those of the jobs that still wait; returns how many results were kept.

        A message that is delivered again finds nothing to claim and ends. Whatever is raised, the jobs are not lost:
        their leases run out and the sweep takes them back.
        """
        began = time.perf_counter()
        marker = self.marker  # the mender may put another one in its place meanwhile
        with self.database.session() as session:
            held = jobs.claim(session, ids, self.name, self.settings.lease_s, marker.scorer(self.settings.reuse))
        self.holding.jobs = tuple(held)
        try:
            done = self.write(marker, marker.mark(held)) if held else 0
        except BaseException:
            self._hand_back(held)
            raise
        finally:
            self.holding.jobs = ()
        if held:
            self.pace.note(queue, len(held), (time.perf_counter() - began) * 1000)
        return done

    def write(self, marker: Marker, finished: Sequence[Finished]) -> int:
        """Writes a whole chunk in one transaction. While the database is away, waits as long as the leases hold."""
        deadline = time.monotonic() + self.settings.lease_s
        while True:
            try:
                return self._write_once(marker, finished)
            except DatabaseAway:
                if time.monotonic() > deadline:
                    raise
                log.warning("the database is away; %d results wait to be written", len(finished))
                time.sleep(0.5)

    def _write_once(self, marker: Marker, finished: Sequence[Finished]) -> int:
        with self.database.session() as session:
            return len(jobs.finish(session, finished, marker.model, marker.revision))

    def _hand_back(self, held: Sequence[Claimed]) -> None:
        error: dict[str, Any] = HANDED_BACK
        try:
            with self.database.session() as session:
                jobs.hand_back(session, held, error, self.settings.max_attempts, self.settings.backoff_s)
        except DatabaseAway:
            log.warning("%d jobs could not be handed back; the sweep takes them when their lease ends", len(held))
