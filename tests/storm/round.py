"""One round of the storm: a stack, callers, faults in a seeded order, and what was left of it all."""

from __future__ import annotations

import json
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from db.session import Database
from db.settings import DatabaseSettings
from db.tenant import Tenant, create_key
from tests.storm.answers import CLOSE, answers_of
from tests.storm.checks import FINAL, Finding, Hit, Row, findings, rows_of
from tests.storm.faults import KINDS, Fault
from tests.storm.ground import Ground, standing
from tests.storm.ledger import Ledger
from tests.storm.load import Caller, Order, orders_of, text_of
from worker.settings import WorkerSettings

TENANTS = 4
WORKERS = 3
MAX_ATTEMPTS = 12  # a job may be hit again and again here
GAP_S = (1.0, 6.0)  # between two faults: with less, nobody gets to work
BUSY = 0.7  # work that is handed in, in times of what the workers could do meanwhile
# Shorter than the defaults, so that a storm sees in minutes what else takes hours.
SETTINGS = {
    "GRADELINE_API_PROCESSES": "2",
    "GRADELINE_LEASE_S": "5",
    "GRADELINE_REDISPATCH_S": "8",
    "GRADELINE_TIME_LIMIT_S": "20",
    "GRADELINE_VISIBILITY_S": "30",
    "GRADELINE_WORKER_GRACE_S": "4",
    "GRADELINE_MAX_ATTEMPTS": str(MAX_ATTEMPTS),
    "GRADELINE_REUSE": "True",
}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What a round is made of. `deadline_s` is for what comes after the last fault and the last order."""

    jobs: int
    faults: int
    seed: int
    engine: str = "fake"
    kinds: tuple[Fault, ...] = KINDS
    deadline_s: float = 600.0

    @property
    def fake_ms(self) -> float:
        """A text's time on the fake engine with which there is work as long as there are faults."""
        return BUSY * 1000 * WORKERS * self.faults * sum(GAP_S) / 2 / self.jobs


@dataclass
class Outcome:
    """What came of a round."""

    plan: Plan
    rows: Sequence[Row] = ()
    hits: list[Hit] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)  # faults that found nothing to do harm to
    ledger: Ledger = field(default_factory=Ledger)
    findings: list[Finding] = field(default_factory=list)
    keyed: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def states(self) -> Counter[str]:
        return Counter(row.state for row in self.rows)

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(attempt["outcome"] for row in self.rows for attempt in row.attempts)


def schedule(rng: random.Random, kinds: Sequence[Fault], count: int) -> list[Fault]:
    """So many faults in an order of the seed's; every kind comes before any comes again."""
    made: list[Fault] = []
    while len(made) < count:
        made += rng.sample(kinds, len(kinds))
    return made[:count]


def run(plan: Plan, folder: Path, say: Say) -> Outcome:
    """One round from beginning to end; nothing of it is left running."""
    outcome, began = Outcome(plan), time.monotonic()
    settings = {**SETTINGS, "GRADELINE_ENGINE": plan.engine, "GRADELINE_FAKE_MS": f"{plan.fake_ms:.1f}"}
    with standing(folder, WORKERS, settings) as ground:
        outcome.seconds["start"] = time.monotonic() - began
        outcome.keyed = _knows_keys(ground)
        _blow(plan, ground, outcome, say)
        say("waiting for the end of all jobs")
        _settle(plan, ground, outcome)
        outcome.rows = rows_of(ground)
        say("comparing with the engine's own answers")
        texts = {n: text_of(plan.seed, n) for n in range(plan.jobs)}
        own = WorkerSettings(engine=plan.engine, home=ground.home.path, fake_ms=0)  # type: ignore[arg-type]
        answers = answers_of(texts, own)
        outcome.findings += findings(
            outcome.rows, outcome.ledger, answers, texts, outcome.hits, MAX_ATTEMPTS, CLOSE[plan.engine], outcome.keyed
        )
    outcome.seconds["all"] = time.monotonic() - began
    return outcome


def keys_of(ground: Ground) -> dict[str, str]:
    """A key each for tenants of the storm's own."""
    database = Database(DatabaseSettings(database_url=ground.database_url))
    try:
        with database.session() as session:
            tenants = [Tenant(name=f"storm-{n}") for n in range(TENANTS)]
            session.add_all(tenants)
            session.flush()
            return {t.name: create_key(session, t.id, "storm", ("submit", "read")) for t in tenants}
    finally:
        database.close()


def _knows_keys(ground: Ground) -> bool:
    """Whether this API answers a repeated Idempotency-Key with the same job: then none may ever be there twice."""
    headers = {
        "Authorization": f"Bearer {ground.home.key_file.read_text().strip()}",
        "Idempotency-Key": "storm-probe",
    }
    body = {"text": "Is a key of mine remembered?"}
    twice = [httpx.post(f"{ground.url}/v1/jobs", json=body, headers=headers, timeout=30) for _ in range(2)]
    return twice[0].json()["id"] == twice[1].json()["id"]


def _blow(plan: Plan, ground: Ground, outcome: Outcome, say: Say) -> None:
    """Orders and faults, a share of the orders before each fault, until all are given out and all faults are over."""
    rng, began = random.Random(plan.seed), time.monotonic()
    orders, left = queue.Queue[Order | None](), orders_of(rng, plan.jobs)
    deadline = began + plan.deadline_s + 30 * plan.faults
    callers = [
        Caller(ground.url, key, tenant, plan.seed, orders, outcome.ledger, deadline)
        for tenant, key in keys_of(ground).items()
    ]
    striking: list[threading.Thread] = []
    for caller in callers:
        caller.start()
    for n, fault in enumerate(schedule(rng, plan.kinds, plan.faults)):
        share = -(-len(left) // (plan.faults - n))
        for order in left[:share]:
            orders.put(order)
        left = left[share:]
        time.sleep(rng.uniform(*GAP_S))
        say(f"fault {n + 1} of {plan.faults}: {fault.__name__.replace('_', ' ')}")
        striking.append(_strike(fault, ground, random.Random(f"{plan.seed}-{n}"), outcome))
    for _ in callers:
        orders.put(None)
    for thread in [*callers, *striking]:
        thread.join(max(1.0, deadline - time.monotonic()))
        if thread.is_alive():
            outcome.findings.append(Finding("did not end in time", [thread.name]))
    outcome.seconds["storm"] = time.monotonic() - began


def _strike(fault: Fault, ground: Ground, rng: random.Random, outcome: Outcome) -> threading.Thread:
    """Faults may overlap: each runs in a thread of its own."""

    def strike() -> None:
        began, kind = datetime.now(UTC), fault.__name__
        while True:
            try:
                said = fault(ground, rng)
                break
            except Exception as error:  # noqa: BLE001 - a server that another fault has struck does not take this one
                said = f"{kind}: {type(error).__name__} {error}".strip()
                if (datetime.now(UTC) - began).total_seconds() > 60:
                    outcome.missed.append(said)
                    return
                time.sleep(0.5)
        outcome.hits.append(Hit(kind, said, began, datetime.now(UTC)))

    thread = threading.Thread(target=strike, name=fault.__name__, daemon=True)
    thread.start()
    return thread


OPEN = """
SELECT j.id::text, j.state, j.attempt, j.worker, j.dispatched_at::text, j.lease_until::text, j.retry_at::text FROM job j
JOIN tenant t ON t.id = j.tenant_id WHERE t.name LIKE 'storm-%%' AND NOT j.state = ANY(%s)
"""


def _settle(plan: Plan, ground: Ground, outcome: Outcome) -> None:
    """Waits until every job is final and the broker is empty, and says what was still open when it gave up."""
    began = time.monotonic()
    while (still := ground.query(OPEN, list(FINAL))) and time.monotonic() < began + plan.deadline_s:
        time.sleep(0.3)
    outcome.seconds["last job after the storm"] = time.monotonic() - began
    if still:
        outcome.findings.append(Finding("open at the deadline", [json.dumps(row) for row in still[:20]]))
    messages = ground.messages()
    while messages and time.monotonic() < began + plan.deadline_s:
        time.sleep(0.3)
        messages = ground.messages()
    outcome.seconds["broker empty after the storm"] = time.monotonic() - began
    if messages:
        outcome.findings.append(Finding("messages are left in the broker", [str(messages)]))


def as_json(outcome: Outcome) -> dict[str, Any]:
    """What is kept of a round."""
    plan = outcome.plan
    return {
        "seed": plan.seed,
        "engine": plan.engine,
        "jobs": len(outcome.rows),
        "faults": Counter(hit.kind for hit in outcome.hits),
        "missed": outcome.missed,
        "states": outcome.states,
        "attempts": outcome.outcomes,
        "answers": outcome.ledger.answers,
        "seconds": {name: round(value, 1) for name, value in outcome.seconds.items()},
        "findings": {each.what: list(each.ids) for each in outcome.findings},
    }
