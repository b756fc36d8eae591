"""Getting a broken engine back: a child's thread that tries to load it again while the surface head grades."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from worker.marking import Marker

log = logging.getLogger(__name__)

# Each try that fails doubles the wait, up to this many times the first one.
LONGEST = 16


class Mender:
    """Looks every `every_s` seconds whether the marker is broken, and puts a new one in its place when it can.

    `load` makes a marker (with an engine that has been warmed up, if that works), `marker` gives the one in use, and
    `install` puts another in its place.
    """

    def __init__(
        self,
        load: Callable[[], Marker],
        marker: Callable[[], Marker],
        install: Callable[[Marker], None],
        every_s: float,
    ) -> None:
        self.load, self.marker, self.install, self.every_s = load, marker, install, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mender", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; a try that is under way is not waited for, it dies with the process."""
        self._stop.set()

    def _run(self) -> None:
        wait = self.every_s
        while not self._stop.wait(wait):
            wait = self.every_s if self.look() else min(2 * wait, LONGEST * self.every_s)

    def look(self) -> bool:
        """One look; False when the engine is broken and could not be loaded."""
        if not self.marker().broken:
            return True
        try:
            new = self.load()
        except Exception:
            log.exception("the engine can't be loaded yet")
            return False
        if new.engine is None:
            log.warning("the engine can't be loaded yet: %s", new.why)
            return False
        self.install(new)
        log.info("the engine is back: %s", new.engine.name)
        return True
