"""Sending waiting jobs to workers: from PostgreSQL, in order of fair share and age, a few seconds of work at a time."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterable

from celery import Celery
from kombu.exceptions import OperationalError

from broker.app import CALIBRATE, GRADE
from broker.chunks import Chunk, chunk_size, cut, time_limits
from broker.messages import Messages
from broker.queues import lane_of
from broker.settings import BrokerSettings
from broker.traces import NO_TRACES, Traces
from db import calibrations, window
from db.calibration import Calibration
from db.errors import DatabaseAway
from db.session import Database
from db.worker import NOBODY, Live, live_by_queue

log = logging.getLogger(__name__)

# How often it is read again who lives and how fast: it sizes the window, it need not be exact.
LIVE_S = 1.0
# A step of a calibration that nobody took for so long is sent again.
CALIBRATION_LOST_S = 60.0
# Between two rounds: the first of many requests is sent at once, those that follow it go together. A look at the window, a
# message and a claim for each of hundreds of requests a second would cost more than the requests do.
PAUSE_S = 0.01
# Stands for all queues; no queue has this name.
EVERYTHING = "*"


class Dispatch:
    """Fills the window of queues. Safe to call from any process at any time: the rows decide who sends what."""

    def __init__(self, database: Database, app: Celery, settings: BrokerSettings, traces: Traces = NO_TRACES) -> None:
        self.database, self.app, self.settings, self.traces = database, app, settings, traces
        self.messages = Messages(settings)
        self._live: dict[str, Live] = {}
        self._live_at = 0.0

    def __call__(self, queues: Iterable[str]) -> int:
        """Sends what fits into each queue's window; returns how many jobs were sent.

        Raises OperationalError when the broker is away (the jobs wait in the database again) and DatabaseAway.
        """
        return sum(self._fill(queue) for queue in queues)

    def everything(self) -> int:
        """Fills the windows of all queues in which work waits."""
        with self.database.statement() as session:
            queues = window.waiting_queues(session)
        self._calibrations()
        return self(queues)

    def calibration(self, calibration_id: uuid.UUID) -> None:
        """Sends the next step of a calibration that has just paused. OperationalError when the broker is away."""
        with self.database.session() as session:
            found = session.get(Calibration, calibration_id)
        if found is not None:
            self._send_calibrations([(found.id, found.queue)])

    def _calibrations(self) -> None:
        with self.database.session() as session:
            due = calibrations.due(session, CALIBRATION_LOST_S)
        self._send_calibrations(due)

    def _send_calibrations(self, due: list[tuple[uuid.UUID, str]]) -> None:
        for n, (calibration_id, queue) in enumerate(due):
            try:
                self.app.send_task(CALIBRATE, args=[str(calibration_id)], queue=queue, retry=False)
            except OperationalError:
                with self.database.session() as session:
                    calibrations.unsent(session, [each for each, _ in due[n:]])
                raise

    def _fill(self, queue: str) -> int:
        live = self._lives().get(queue, NOBODY)
        size, children = chunk_size(queue, live.job_ms, self.settings), max(1, live.children)
        # While more than one message a child waits there, whoever takes the next one asks again: a window that is filled
        # message by message costs a statement for each. Interactive jobs go at once: one that is left here when the last of
        # those before it is taken could wait for a whole bulk chunk.
        if lane_of(queue) != "interactive" and self.messages(queue) > children:
            return 0
        with self.database.session() as session:
            room = window.room(session, queue, size * self.settings.window_chunks * children)
            # Whole chunks, the nearest number of them: the size changes with the pace, and what is left over between two sizes
            # would be messages of one or two jobs.
            room = (room + size // 2) // size * size
            taken = window.take(session, queue, room)
        # The end of a backlog is shared: nobody computes a long last chunk while others have nothing.
        share = size if len(taken) >= room else max(1, min(size, -(-len(taken) // children)))
        chunks = cut(taken, share, size, self.settings.max_attempts)
        # Only now, after the commit: a worker that is quick must find the rows.
        for n, chunk in enumerate(chunks):
            self._send(queue, chunk, live.job_ms, chunks[n:])
        return len(taken)

    def _send(self, queue: str, chunk: Chunk, job_ms: float | None, unsent: list[Chunk]) -> None:
        soft, hard = time_limits(len(chunk.ids), job_ms, self.settings)
        span = self.traces.begin(f"send {queue}", "producer", gradeline__queue=queue, gradeline__jobs=len(chunk.ids))
        try:
            self.app.send_task(
                GRADE, args=[[str(i) for i in chunk.ids], chunk.losses], queue=queue, retry=False,
                soft_time_limit=soft, time_limit=hard,
                headers={"traceparent": span.traceparent} if span.traceparent else None,
            )  # fmt: skip
            span.end()
        except OperationalError:
            span.end(failed="OperationalError")
            with self.database.session() as session:
                window.put_back(session, [job for each in unsent for job in each.ids])
            raise

    def forget_lost(self) -> int:
        """Takes jobs out of the window whose message is lost; returns how many. OperationalError when the broker is away.

        Where a queue is empty in the broker, every message of it was delivered or lost, and one that was delivered is
        claimed in a moment. Where it is not, or can't be counted, time alone tells.
        """
        settings = self.settings
        with self.database.session() as session:
            lost = window.forget_lost(session, settings.redispatch_s)
            stale = window.stale_queues(session, settings.unclaimed_s)
        for queue in stale:
            if not self.messages(queue):
                with self.database.session() as session:
                    lost += window.forget_lost(session, settings.unclaimed_s, queue)
        return lost

    def _lives(self) -> dict[str, Live]:
        if time.monotonic() - self._live_at > LIVE_S:
            with self.database.statement() as session:
                self._live = live_by_queue(session, self.settings.live_s)
            self._live_at = time.monotonic()
        return self._live


class Dispatcher:
    """A thread that dispatches for a process: no request waits for the broker, and many wishes become one dispatch."""

    def __init__(self, dispatch: Dispatch) -> None:
        self.dispatch = dispatch
        self._wanted: set[str] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def wish(self, queue: str = EVERYTHING) -> None:
        """Asks for a dispatch soon, of one queue or all. If it fails, the sweep of any worker makes up for it."""
        with self._changed:
            if self._stopped:
                return
            self._wanted.add(queue)
            if self._thread is None or not self._thread.is_alive():  # also in a process that was forked since
                self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)
                self._thread.start()
            self._changed.notify()

    def stop(self, seconds: float = 5.0) -> None:
        """Ends the thread after the dispatch that is under way; later wishes are left to the sweep."""
        with self._changed:
            self._stopped, thread = True, self._thread
            self._changed.notify()
        if thread is not None:
            thread.join(timeout=seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._wanted and not self._stopped:
                    self._changed.wait()
                if self._stopped:
                    return
                queues, self._wanted = self._wanted, set()
            try:
                self.dispatch.everything() if EVERYTHING in queues else self.dispatch(queues)
                time.sleep(PAUSE_S)
            except (OperationalError, DatabaseAway) as error:
                log.warning("not sent yet, the sweep will: %s", error)
                time.sleep(1)  # the broker is away: one try a second is enough
            except Exception:
                log.exception("dispatch failed, the sweep will try again")
                time.sleep(1)
