"""Callers of the API: several tenants who submit, cancel, retry and read, whatever goes wrong meanwhile."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from tests.storm.ledger import Ledger

SENTENCES = (
    "The town should build a library, because many children have no quiet place to read.",
    "A sports field is used by many people, and it keeps them healthy.",
    "However, money that is spent once can't be spent again, so we must choose.",
    "In my opinion the strongest reason is that books are for everyone.",
    "People who live near the river said that they want neither of the two.",
    "For example, the old hall was closed last year and nobody has missed it.",
    "Therefore I think that a vote of all who live here would be fair.",
)
SINGLES = 0.3  # share of jobs that come alone
BATCH = (5, 150)
CANCELLED, RETRIED, BATCHES_CANCELLED, READ = 0.05, 0.5, 0.1, 0.2  # how often a caller does it
AGAIN = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.CONFLICT}


def text_of(seed: int, number: int) -> str:
    """The text of a job. Every tenth is one that others have handed in, too."""
    said = number // 10 if number % 10 == 0 else number
    rng = random.Random(f"{seed}-{said}")
    return " ".join([f"Submission {said}.", *rng.choices(SENTENCES, k=rng.randint(3, 20))])


@dataclass(frozen=True)
class Order:
    """Texts to be handed in by one caller: one as a job, more as a batch."""

    numbers: tuple[int, ...]


def orders_of(rng: random.Random, jobs: int) -> list[Order]:
    """Orders for so many texts, numbered from 0."""
    made, number = [], 0
    while number < jobs:
        size = 1 if rng.random() < SINGLES * 60 / (1 + SINGLES * 59) else rng.randint(*BATCH)
        size = min(size, jobs - number)
        made.append(Order(tuple(range(number, number + size))))
        number += size
    return made


class Caller(threading.Thread):
    """One tenant's client: takes orders until there are no more."""

    def __init__(
        self, url: str, key: str, tenant: str, seed: int, orders: queue.Queue[Order | None], ledger: Ledger,
        deadline: float,
    ) -> None:  # fmt: skip
        super().__init__(name=f"caller of {tenant}", daemon=True)
        self.tenant, self.seed, self.orders, self.ledger, self.deadline = tenant, seed, orders, ledger, deadline
        self.rng = random.Random(f"{seed}-{tenant}")
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30)
        self.mine: list[str] = []

    def run(self) -> None:
        try:
            while (order := self.orders.get()) is not None and time.monotonic() < self.deadline:
                self._submit(order.numbers)
                self._errands()
        except Exception as error:
            self.ledger.strange(f"{self.name} gave up: {type(error).__name__}: {error}")
            raise
        finally:
            self.http.close()

    def _submit(self, numbers: Sequence[int]) -> None:
        """Until it is accepted. A caller that heard nothing asks again under the same key."""
        items = [{"text": text_of(self.seed, n), "external_id": str(n)} for n in numbers]
        single = len(items) == 1
        body: dict[str, Any] = items[0] if single else {"items": items}
        headers = {"Idempotency-Key": f"storm-{self.seed}-{numbers[0]}"}
        while time.monotonic() < self.deadline:
            answer = self._ask("POST", "/v1/jobs" if single else "/v1/batches", json=body, headers=headers)
            if answer is not None and answer.status_code in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
                made = answer.json()
                if single:
                    self.ledger.accepted(made["id"], numbers[0], self.tenant)
                    self.mine.append(made["id"])
                else:
                    self.ledger.accepted_batch(made["id"], list(numbers))
                    if self.rng.random() < BATCHES_CANCELLED:
                        self._ask("POST", f"/v1/batches/{made['id']}/cancel")
                return
            if answer is not None and answer.status_code not in AGAIN and answer.status_code < 500:
                self.ledger.strange(f"submit of {numbers[0]}: {answer.status_code} {answer.text[:200]}")
                return
            self._wait(answer)

    def _errands(self) -> None:
        if not self.mine:
            return
        job_id = self.rng.choice(self.mine[-50:])
        if self.rng.random() < CANCELLED:
            self._cancel(job_id)
            if self.rng.random() < RETRIED:
                self._retry(job_id)
        if self.rng.random() < READ:
            answer = self._ask("GET", f"/v1/jobs/{self.rng.choice(self.mine)}")
            if answer is not None and answer.is_success and answer.json()["finished_at"]:
                self.ledger.saw(answer.json())
            elif answer is not None and answer.status_code == HTTPStatus.NOT_FOUND:
                self.ledger.strange(f"a job that was accepted is not found: {answer.url}")

    def _cancel(self, job_id: str) -> None:
        promise = self.ledger.jobs[job_id]
        promise.perhaps += 1
        answer = self._ask("POST", f"/v1/jobs/{job_id}/cancel")
        if answer is not None and answer.status_code == HTTPStatus.OK:
            promise.told_cancelled, promise.cancelled = True, promise.cancelled + 1

    def _retry(self, job_id: str) -> None:
        promise = self.ledger.jobs[job_id]
        answer = self._ask("POST", f"/v1/jobs/{job_id}/retry")
        if answer is None or answer.status_code != HTTPStatus.CONFLICT:
            promise.told_cancelled, promise.retried = False, promise.retried + 1

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        """The answer, or None when there was none: whether it was done is not known then."""
        try:
            answer = self.http.request(method, path, **options)
        except httpx.TransportError as error:
            self.ledger.heard(f"no answer ({type(error).__name__})")
            return None
        self.ledger.heard(str(answer.status_code))
        if answer.status_code >= 500 and answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
            self.ledger.strange(f"{method} {path.split('/')[2]}: {answer.status_code} {answer.text[:200]}")
        if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE and "Retry-After" not in answer.headers:
            self.ledger.strange(f"{method} {path}: 503 without Retry-After")
        return answer

    def _wait(self, answer: httpx.Response | None) -> None:
        told = answer.headers.get("Retry-After", "1") if answer is not None else "0.3"
        time.sleep(max(0.0, min(float(told), 2.0, self.deadline - time.monotonic())))
