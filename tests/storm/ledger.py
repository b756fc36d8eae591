"""What the API has promised so far, as its callers heard it. The checks compare it with the database."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Promise:
    """One job that was accepted with 202."""

    number: int  # of its text
    tenant: str
    cancelled: int = 0  # answers 200 to a cancel
    perhaps: int = 0  # cancels and retries that nobody answered: they may have happened
    retried: int = 0  # answers 202 to a retry
    told_cancelled: bool = False  # the last answer was that it is cancelled
    seen: dict[str, Any] | None = None  # the first final job object that a reader got since the last retry


@dataclass
class Ledger:
    """Written by all callers of the storm."""

    jobs: dict[str, Promise] = field(default_factory=dict)
    batches: dict[str, list[int]] = field(default_factory=dict)  # id -> numbers of its texts
    answers: dict[str, int] = field(default_factory=dict)  # how often each status, or silence, was met
    odd: list[str] = field(default_factory=list)  # answers that no fault excuses
    changed: list[str] = field(default_factory=list)  # jobs whose final state was seen to change
    lock: threading.Lock = field(default_factory=threading.Lock)

    def heard(self, answer: str) -> None:
        with self.lock:
            self.answers[answer] = self.answers.get(answer, 0) + 1

    def strange(self, what: str) -> None:
        with self.lock:
            self.odd.append(what)

    def accepted(self, job_id: str, number: int, tenant: str) -> None:
        with self.lock:
            self.jobs.setdefault(job_id, Promise(number, tenant))

    def accepted_batch(self, batch_id: str, numbers: list[int]) -> None:
        with self.lock:
            self.batches.setdefault(batch_id, numbers)

    def saw(self, job: dict[str, Any]) -> None:
        """A reader got a final job object: nobody may ever get another, unless the job was retried."""
        with self.lock:
            promise = self.jobs.get(job["id"])
            if promise is None or promise.perhaps or promise.retried or promise.cancelled:
                return
            if promise.seen is None:
                promise.seen = job
            elif (job["state"], job["scores"]) != (promise.seen["state"], promise.seen["scores"]):
                self.changed.append(job["id"])
