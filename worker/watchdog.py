"""A worker that is deaf, although it answers a ping: it is ended, so that its supervisor starts it again.

After a broker was away, a consumer may hang on a connection that nobody serves (celery 8990, 10205). What proves it is not a
ping but this: messages lie in a queue of the worker, its children have nothing to do, and for long it took none. An idle
worker that listens takes a message the moment it comes, however many others there are.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence

from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

LOOKS = 10  # in the time after which a worker counts as deaf
DEAF = 70  # the exit status


def leave(status: int) -> None:
    """Ends the process at once: a loop that hangs could not end in an orderly way. Children die with it."""
    logging.shutdown()
    os._exit(status)


class Watchdog:
    """A thread in the parent. `waiting` counts the messages of a queue in the broker, `busy` says whether any is in hand."""

    def __init__(
        self, queues: Sequence[str], deaf_s: float, waiting: Callable[[str], int], busy: Callable[[], bool],
        end: Callable[[int], None] = leave,
    ) -> None:  # fmt: skip
        self.queues, self.deaf_s, self.waiting, self.busy, self.end = queues, deaf_s, waiting, busy, end
        self._stop = threading.Event()
        self._since = time.monotonic()

    def start(self) -> None:
        if self.deaf_s:
            threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Looks no more: a worker that was told to stop takes no messages."""
        self._stop.set()

    def heard(self) -> None:
        """Notes that a message came."""
        self._since = time.monotonic()

    def look(self) -> None:
        """Ends the worker when it has been deaf for long."""
        if self.busy() or not self._waits():
            self.heard()
        elif time.monotonic() - self._since > self.deaf_s:
            log.error(
                "deaf: messages wait in the broker, the children are idle, and none was taken for %.0f s; this worker ends, "
                "to be started again", self.deaf_s,
            )  # fmt: skip
            self.end(DEAF)

    def _waits(self) -> bool:
        try:
            return any(self.waiting(queue) for queue in self.queues)
        except OperationalError:
            return False  # the broker is away: nobody hears anything

    def _run(self) -> None:
        while not self._stop.wait(self.deaf_s / LOOKS):
            try:
                self.look()
            except Exception:
                log.exception("the watchdog could not look")
