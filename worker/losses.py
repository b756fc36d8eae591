"""What becomes of the jobs of a chunk that did not end: told apart by how it ended, and given back at once.

A child that can still speak hands its jobs back itself (worker/grading.py). Of one that was killed, the parent does it. Where
the parent is gone too, the leases end, and any worker's sweep does it.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from celery.exceptions import WorkerLostError

from broker.sweep import LOST
from db import calibrations, jobs, window
from db.errors import GradelineError
from db.session import Database
from worker.reasons import OUT_OF_MEMORY, STOPPED, reason
from worker.settings import WorkerSettings
from worker.telling import gave_back

log = logging.getLogger(__name__)

# The kernel counts here how many processes it has ended for want of memory, containers included.
VMSTAT = Path("/proc/vmstat")


class OutOfMemory:
    """Tells whether the kernel has killed for want of memory since the last look. Without such a count: never."""

    def __init__(self, file: Path = VMSTAT) -> None:
        self.file = file
        self.look()

    def look(self) -> None:
        """What was before does not count."""
        self._seen = self._count()

    def happened(self) -> bool:
        return self._count() > self._seen

    def _count(self) -> int:
        try:
            lines = self.file.read_text().splitlines()
        except OSError:
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


class Losses:
    """Gives jobs back for children that can't: in the parent, and in the next child."""

    def __init__(self, database: Database, settings: WorkerSettings, name: str) -> None:
        self.database, self.settings, self.name = database, settings, name
        self.out_of_memory = OutOfMemory()

    def of_child(self, ids: Sequence[uuid.UUID], error: BaseException) -> None:
        """Gives back what a killed child held.

        The parent's loop waits for it, not longer than for a connection and a statement: the next child is forked right
        afterwards, and a thread that held a lock at that moment would leave it held in the child for ever.
        """
        why = reason(error)
        if isinstance(error, WorkerLostError):
            # Persons send SIGKILL, too; the kernel's count tells whether it was short of memory since the last message came.
            why = OUT_OF_MEMORY if "SIGKILL" in str(error) and self.out_of_memory.happened() else LOST
        log.warning("a child was lost over %d jobs: %s", len(ids), why["code"])
        self._give_back(ids, why, True)

    def of_sibling(self) -> None:
        """Gives back what this worker's only child held before this one: it was killed between two messages, over results
        that it had not written yet. Or the whole worker was, and has been started again under its name."""
        if self.settings.concurrency == 1:
            self._give_back([], LOST, True, everything=True)

    def of_worker(self) -> None:
        """Gives back everything that this worker holds: it was told to stop, and its grace is over."""
        self._give_back([], STOPPED, False, everything=True)

    def _give_back(
        self, ids: Sequence[uuid.UUID], why: dict[str, Any], counted: bool, everything: bool = False
    ) -> None:
        most, backoff_s = self.settings.max_attempts, self.settings.backoff_s
        try:
            with self.database.session() as session:
                back = jobs.take_from(session, self.name, None if everything else ids, why, most, backoff_s, counted)
                if not counted:
                    calibrations.release(session, self.name)
                window.put_back(session, ids)  # what it was sent and had not begun
            gave_back(back, why["code"])
        except GradelineError:
            log.warning("the database is away; these jobs return when their leases end")
        finally:
            self.database.close()  # the parent needs none between two losses
