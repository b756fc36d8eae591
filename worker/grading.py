"""The story of a chunk, without Celery: claim, read, score, write, and ask for more."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence

from db import jobs
from db.errors import DatabaseAway
from db.jobs import Claimed, Finished
from db.session import Database
from worker.marking import Marker
from worker.pace import Pace
from worker.reasons import counts, reason
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)


class Holding:
    """The jobs that this child holds now; the beat thread renews their leases."""

    def __init__(self) -> None:
        self.jobs: tuple[Claimed, ...] = ()


class Grading:
    """Grades chunks. One object a child, used by one thread; `holding` is read by the beat thread."""

    def __init__(self, database: Database, marker: Marker, settings: WorkerSettings, name: str) -> None:
        self.database, self.marker, self.settings, self.name = database, marker, settings, name
        self.holding, self.pace = Holding(), Pace()

    def chunk(self, ids: Sequence[uuid.UUID], queue: str = "", losses: int | None = None) -> int:
        """Grades those of the jobs that still wait; returns how many results were kept.

        A message that is delivered again finds nothing to claim and ends. Whatever is raised, the jobs are not lost:
        their leases run out and the sweep takes them back.
        """
        began = time.perf_counter()
        marker = self.marker  # the mender may put another one in its place meanwhile
        with self.database.session() as session:
            scorer = marker.scorer(self.settings.reuse)
            held = jobs.claim(session, ids, self.name, self.settings.lease_s, scorer, losses)
        self.holding.jobs = tuple(held)
        try:
            done = self.write(marker, marker.mark(held)) if held else 0
        except BaseException as error:
            self._hand_back(held, error)
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

    def _hand_back(self, held: Sequence[Claimed], why: BaseException) -> None:
        most, backoff_s = self.settings.max_attempts, self.settings.backoff_s
        try:
            with self.database.session() as session:
                jobs.hand_back(session, held, reason(why), most, backoff_s, counts(why))
        except DatabaseAway:
            log.warning("%d jobs could not be handed back; the sweep takes them when their lease ends", len(held))
