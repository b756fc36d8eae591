"""A child's thread beside its computing: signs of life, leases, and the sweep."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import psutil

from broker.dispatch import Dispatch
from broker.pulse import Pulse
from broker.sweep import sweep
from db import calibrations, jobs
from db.errors import DatabaseAway
from db.worker import Beat, beat, leave
from worker.calibrating import Calibrating
from worker.grading import Grading
from worker.metrics import counted

log = logging.getLogger(__name__)


class Heart:
    """Beats until the child ends. What it can't do while the database is away, it does when it is back."""

    def __init__(
        self, said: Beat, grading: Grading, dispatch: Dispatch, calibrating: Calibrating, pulse: Pulse
    ) -> None:
        self.said, self.grading, self.dispatch, self.calibrating = said, grading, dispatch, calibrating
        self.pulse = pulse
        self.children = 1  # of all workers, this one included
        self._patient_until = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)

    def start(self) -> None:
        self._quietly(self._beat)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread, and says that this child is gone."""
        self._stop.set()
        self._thread.join(timeout=5)
        self._quietly(self._leave)

    def _run(self) -> None:
        settings = self.dispatch.settings
        due = {self._beat: 0.0, self._renew: 0.0, self._sweep: 0.0}
        every = {self._beat: settings.beat_s, self._renew: settings.lease_s / 4, self._sweep: settings.sweep_s}
        while not self._stop.wait(min(every.values()) / 4):
            for duty in due:
                if time.monotonic() >= due[duty]:
                    due[duty] = time.monotonic() + every[duty] * (self._turn() if duty == self._sweep else 1)
                    self._quietly(duty)

    def _turn(self) -> float:
        """All children sweep, in turns: together as often as one alone would, at times that don't fall together."""
        return 1.0 if self.children == 1 else self.children * random.uniform(0.5, 1.5)  # noqa: S311 - no secret

    def _quietly(self, duty: Callable[[], None]) -> None:
        try:
            duty()
        except DatabaseAway:
            # When it is back, leases of living children have ended too: each gets the time to renew its own.
            self._patient_until = time.monotonic() + self.dispatch.settings.lease_s / 2
            log.warning("the database is away; %s is left for later", duty.__name__.strip("_"))
        except Exception:
            # The heart must go on: a child that computes without it would lose its leases.
            log.exception("%s failed", duty.__name__.strip("_"))

    def _beat(self) -> None:
        now = replace(self.said, rss_bytes=psutil.Process().memory_info().rss, job_ms=self.grading.pace.job_ms)
        with self.dispatch.database.statement() as session:
            self.children = beat(session, now, self.dispatch.settings.live_s)
        self.pulse.beat()

    def _renew(self) -> None:
        if held := self.grading.holding.jobs:
            with self.dispatch.database.statement() as session:
                jobs.renew(session, held, self.dispatch.settings.lease_s)
        if taught := self.calibrating.held:
            with self.dispatch.database.session() as session:
                calibrations.renew(session, taught, self.calibrating.name, self.dispatch.settings.lease_s)

    def _sweep(self) -> None:
        counted().lose("lease_ended", sweep(self.dispatch, patient=time.monotonic() < self._patient_until))

    def _leave(self) -> None:
        with self.dispatch.database.session() as session:
            leave(session, self.said.name, self.said.pid)
