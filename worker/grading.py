"""The story of a chunk, without Celery: claim and read; the next one follows while it is scored and written."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import replace

from celery.exceptions import SoftTimeLimitExceeded

from broker.traces import NO_TRACES, Traces
from db import jobs
from db.errors import DatabaseAway
from db.session import Database
from db.work import Claimed, Finished
from worker.files import Files
from worker.marking import Ending, Marker
from worker.metrics import counted
from worker.pace import Pace
from worker.reasons import NOT_REACHED, counts, reason
from worker.settings import WorkerSettings
from worker.telling import Course, gave_back, tell, trace

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

    def __init__(
        self, database: Database, marker: Marker, settings: WorkerSettings, name: str, traces: Traces = NO_TRACES
    ) -> None:
        self.database, self.marker, self.settings, self.name = database, marker, settings, name
        self.traces = traces
        self.holding, self.pace = Holding(), Pace()
        self.files = Files(database, settings)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._written: Future[int] = NOTHING
        self._marked = 0.0  # when the last chunk was, by the writer's thread

    def chunk(
        self, ids: Sequence[uuid.UUID], queue: str = "", losses: int | None = None, sent: str | None = None
    ) -> Future[int]:
        """Grades those of the jobs that still wait; how many results were kept is known when they are written.

        Returns when the engine has been handed the last of the texts: while it computes that, and the chunk is scored and
        written, the next one is claimed and begins; never a third. Jobs that were lost before share this process with no
        others: one of them may end it, and each is to be lost only by what is in its own chunk. A message that is
        delivered again finds nothing to claim and ends. Whatever happens, the jobs are not lost: when nobody renews their
        leases any more, the sweep takes them back. `sent` is the span of whoever sent it.
        """
        if losses:
            self._await_turn()
        began = time.perf_counter()
        marker = self.marker  # the mender may put another one in its place meanwhile
        with self.database.statement() as session:
            scorer = marker.scorer(self.settings.reuse)
            held = jobs.claim(session, ids, self.name, self.settings.lease_s, scorer, losses)
        if not held:
            return NOTHING
        course = Course(queue, sent, began, counted().chunk(queue, held, began), claimed=time.perf_counter())
        # Texts first: a file may take long to read.
        parts = [[job for job in held if (job.upload_id is not None) == files] for files in (False, True)]
        left = [part for part in parts if part]
        for part in left:
            self.holding.add(part)
        kept = NOTHING
        try:
            while left:
                kept = self._part(marker, left[0], kept, replace(course))
                left.pop(0)
        except BaseException as error:
            for part in left:
                self._hand_back(part, error)
                self.holding.drop(part)
            raise
        if losses:
            self._await_turn()
        return kept

    def _part(self, marker: Marker, held: Sequence[Claimed], before: Future[int], course: Course) -> Future[int]:
        """The texts of a chunk, or its files: how many results were kept, with those of the part before."""
        began = time.perf_counter()
        read = self.files.read([job for job in held if job.upload_id is not None])
        if read.jobs or read.failed:
            course.counting.files(began)
        ending = marker.begin([job for job in held if job.upload_id is None] + read.jobs)
        if read.late:
            with self.database.session() as session:
                back = jobs.hand_back(session, read.late, NOT_REACHED, self.settings.max_attempts, 0, counted=False)
            gave_back(back, NOT_REACHED["code"])
        self._await_turn()
        # In this context: its lines say which chunk they are of.
        run = copy_context().run
        self._written = self._writer.submit(run, self._end, marker, held, read.failed, ending, before, course)
        return self._written

    def _await_turn(self) -> None:
        """Until the chunk before is written. A time limit that ends meanwhile is the database's fault, not the jobs'."""
        try:
            wait([self._written])
        except SoftTimeLimitExceeded as error:
            raise DatabaseAway("the chunk before this one could not be written in time") from error

    def stop(self) -> None:
        """Returns when the last chunk is written."""
        self.files.stop()
        self._writer.shutdown()

    def _end(
        self, marker: Marker, held: Sequence[Claimed], failed: list[Finished], ending: Ending, before: Future[int],
        course: Course,
    ) -> int:  # fmt: skip
        try:
            finished = failed + ending()
        except BaseException as error:
            log.exception("%d jobs could not be marked; they are handed back", len(held))
            self._hand_back(held, error)
            self.holding.drop(held)
            raise
        course.marked = time.perf_counter()
        # The time of the chunk before it is not this one's.
        spent_s = course.marked - max(course.began, self._marked)
        self._marked = course.marked
        self.pace.note(course.queue, len(held), spent_s * 1000)
        return self._write(marker, held, finished, before, course)

    def _write(
        self, marker: Marker, held: Sequence[Claimed], finished: Sequence[Finished], before: Future[int],
        course: Course,
    ) -> int:  # fmt: skip
        course.writing = time.perf_counter()
        try:
            kept = self.write(marker, finished)
        except Exception:
            log.exception("%d results could not be written; their jobs are graded again", len(finished))
            raise
        finally:
            self.holding.drop(held)
        course.counting.written(held, finished, course.writing)
        course.written = time.perf_counter()
        tell(held, finished, kept, course)
        trace(self.traces, self.name, held, finished, kept, course)
        return len(kept) + before.result()

    def write(self, marker: Marker, finished: Sequence[Finished]) -> set[uuid.UUID]:
        """Writes a whole chunk in one transaction; returns whose results were kept. While the database is away, waits as
        long as a chunk may take: if the leases have ended by then, the attempts' numbers say whose result counts."""
        deadline = time.monotonic() + self.settings.time_limit_s
        while True:
            try:
                return self._write_once(marker, finished)
            except DatabaseAway:
                if time.monotonic() > deadline:
                    raise
                log.warning("the database is away; %d results wait to be written", len(finished))
                time.sleep(0.5)

    def _write_once(self, marker: Marker, finished: Sequence[Finished]) -> set[uuid.UUID]:
        with self.database.statement() as session:
            return jobs.finish(session, finished, marker.model, marker.revision)

    def _hand_back(self, held: Sequence[Claimed], why: BaseException) -> None:
        most, backoff_s = self.settings.max_attempts, self.settings.backoff_s
        try:
            with self.database.session() as session:
                back = jobs.hand_back(session, held, reason(why), most, backoff_s, counts(why))
            gave_back(back, reason(why)["code"])
        except DatabaseAway:
            log.warning("%d jobs could not be handed back; the sweep takes them when their lease ends", len(held))
