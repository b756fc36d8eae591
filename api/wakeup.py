"""Knowing what moved without asking again and again: PostgreSQL says which jobs and batches did."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from db.moves import MOVED
from db.session import Database

log = logging.getLogger(__name__)

# While the listener is away, and against any wake-up that was lost with it.
LOOK_AGAIN_S = 1.0
LISTEN_S = 5.0
Told = Callable[[str], None]


class Wakeup:
    """One listening connection a process, shared by all requests that wait and all event streams."""

    def __init__(self, database: Database, places: int) -> None:
        self._database = database
        self._places = threading.BoundedSemaphore(places) if places else None
        self._told: dict[str, set[Told]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def wait_for(self, job_id: str, finished: Callable[[], bool], seconds: float) -> bool:
        """True as soon as `finished()` is; False after the time, or at once when too many wait already."""
        if finished():
            return True
        if seconds <= 0 or self._places is None or not self._places.acquire(blocking=False):
            return False
        try:
            return self._wait(job_id, finished, time.monotonic() + seconds)
        finally:
            self._places.release()

    def _wait(self, job_id: str, finished: Callable[[], bool], deadline: float) -> bool:
        with self._registered(job_id) as moved:
            while not finished():  # after registering: a move in between is not missed
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                moved.wait(min(left, LOOK_AGAIN_S))
                moved.clear()
            return True

    @contextmanager
    def _registered(self, job_id: str) -> Iterator[threading.Event]:
        event = threading.Event()

        def told(_: str) -> None:
            event.set()

        self.follow(job_id, told)
        try:
            yield event
        finally:
            self.unfollow(job_id, told)

    def follow(self, one: str, told: Told) -> None:
        """Calls `told(id)`, which must be quick, whenever a job or a batch moved, or may have while nobody listened."""
        with self._lock:
            self._told.setdefault(one, set()).add(told)
            if self._thread is None or not self._thread.is_alive():  # also after a fork
                self._thread = threading.Thread(target=self._listen, name="wakeup", daemon=True)
                self._thread.start()

    def unfollow(self, one: str, told: Told) -> None:
        with self._lock:
            self._told[one].discard(told)
            if not self._told[one]:
                del self._told[one]

    def _listen(self) -> None:
        heard = True
        while True:
            try:
                with self._database.listener() as connection:
                    connection.execute(f"LISTEN {MOVED}")
                    heard = True
                    self._tell(list(self._told))
                    while True:
                        for notice in connection.notifies(timeout=LISTEN_S):
                            self._tell(notice.payload.split(","))
            except psycopg.Error as error:
                if heard:  # once, however long it takes
                    log.warning("not listening for finished jobs (%s); looking every second", type(error).__name__)
                heard = False
                time.sleep(LOOK_AGAIN_S)

    def _tell(self, moved: list[str]) -> None:
        with self._lock:
            if self._told:
                for one in moved:
                    for told in self._told.get(one, ()):
                        told(one)
