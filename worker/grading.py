"""The story of a chunk, without Celery: claim, read, score, and write while the next one computes."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from db import jobs
from db.errors import DatabaseAway
from db.jobs import Claimed, Finished
from db.session import Database
from worker.marking import Marker
from worker.pace import Pace
from worker.reasons import counts, reason
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)

# What comes of a chunk of which nothing waits any more.
NOTHING: Future[int] = Future()
NOTHING.set_result(0)


class Holding:
    """The jobs that this child holds now; the beat thread renews their leases."""

    def __init__(self) -> None:
        self._chunks: list[Sequence[Claimed]] = []
        self._lock = threading.Lock()

    @property
    def jobs(self) -> list[Claimed]:
        with self._lock:
            return [job for chunk in self._chunks for job in chunk]

    def add(self, chunk: Sequence[Claimed]) -> None:
        with self._lock:
            self._chunks.append(chunk)

    def drop(self, chunk: Sequence[Claimed]) -> None:
        with self._lock:
            self._chunks = [each for each in self._chunks if each is not chunk]


class Grading:
    """Grades chunks. One object a child, used by one thread; `holding` is read by the beat thread."""

    def __init__(self, database: Database, marker: Marker, settings: WorkerSettings, name: str) -> None:
        self.database, self.marker, self.settings, self.name = database, marker, settings, name
        self.holding, self.pace = Holding(), Pace()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._written: Future[int] = NOTHING

    def chunk(self, ids: Sequence[uuid.UUID], queue: str = "", losses: int | None = None) -> Future[int]:
        """Grades those of the jobs that still wait; how many results were kept is known when they are written.

        A chunk is written while the next one computes, but never two at once. A message that is delivered again finds
        nothing to claim and ends. Whatever happens, the jobs are not lost: when nobody renews their leases any more, the
        sweep takes them back.
        """
        began = time.perf_counter()
        marker = self.marker  # the mender may put another one in its place meanwhile
        with self.database.statement() as session:
            scorer = marker.scorer(self.settings.reuse)
            held = jobs.claim(session, ids, self.name, self.settings.lease_s, scorer, losses)
        if not held:
            return NOTHING
        self.holding.add(held)
        try:
            finished = marker.mark(held)
            wait([self._written])
        except BaseException as error:
            self._hand_back(held, error)
            self.holding.drop(held)
            raise
        self._written = self._writer.submit(self._write, marker, held, finished)
        self.pace.note(queue, len(held), (time.perf_counter() - began) * 1000)
        return self._written

    def stop(self) -> None:
        """Returns when the last chunk is written."""
        self._writer.shutdown()

    def _write(self, marker: Marker, held: Sequence[Claimed], finished: Sequence[Finished]) -> int:
        try:
            return self.write(marker, finished)
        except Exception:
            log.exception("%d results could not be written; their jobs are graded again", len(finished))
            raise
        finally:
            self.holding.drop(held)

    def write(self, marker: Marker, finished: Sequence[Finished]) -> int:
        """Writes a whole chunk in one transaction. While the database is away, waits as long as a chunk may take: if the
        leases have ended by then, the attempts' numbers say whose result counts."""
        deadline = time.monotonic() + self.settings.time_limit_s
        while True:
            try:
                return self._write_once(marker, finished)
            except DatabaseAway:
                if time.monotonic() > deadline:
                    raise
                log.warning("the database is away; %d results wait to be written", len(finished))
                time.sleep(0.5)

    def _write_once(self, marker: Marker, finished: Sequence[Finished]) -> int:
        with self.database.statement() as session:
            return len(jobs.finish(session, finished, marker.model, marker.revision))

    def _hand_back(self, held: Sequence[Claimed], why: BaseException) -> None:
        most, backoff_s = self.settings.max_attempts, self.settings.backoff_s
        try:
            with self.database.session() as session:
                jobs.hand_back(session, held, reason(why), most, backoff_s, counts(why))
        except DatabaseAway:
            log.warning("%d jobs could not be handed back; the sweep takes them when their lease ends", len(held))
