"""Whatever happens to jobs, in whatever order and at once: states, attempts and results stay those that may be.

A model in Python says what each step may do to each job; the rows are read after every step.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from db import jobs, window
from db.erasing import erase
from db.errors import IllegalMove
from db.job import FINAL, Attempt, Job, Result
from db.rubric import default_rubric
from db.session import Database
from db.work import Claimed, Finished, NewJob
from tests.tenants import new_tenant

GONE = {"type": "t", "title": "t", "status": 500, "code": "worker_lost", "detail": "gone"}
BAD = {**GONE, "code": "unscorable"}
MAX_ATTEMPTS = 3
MOST_JOBS = 3  # few, so that much happens to each
WORKERS = ("w1", "w2", "w3")
BACK = ("lost", "handed_back")


def result_of(held: Claimed) -> dict[str, object]:
    """A result that shows which job and which attempt it was made for."""
    return {
        "scores": [{"criterion": "of", "score": str(held.id)}], "overall": {"score": held.attempt}, "advisories": [],
        "scored_by": {}, "degraded": False, "review_reasons": [],
    }  # fmt: skip


def finished(held: Claimed, well: bool = True) -> Finished:
    run = {"engine": "e"}
    return (
        Finished(held.id, held.attempt, run, result_of(held))
        if well
        else Finished(held.id, held.attempt, run, None, BAD)
    )


def tenant_of_its_own(database: Database) -> uuid.UUID:
    with database.session() as session:
        return new_tenant(session)


def submit(
    database: Database, tenant: uuid.UUID, queue: str, count: int, batch: uuid.UUID | None = None
) -> list[uuid.UUID]:
    new = NewJob(text="Some text.", model="m", device="any", priority="bulk", queue=queue, batch_id=batch)
    with database.session() as session:
        rubric = default_rubric(session)
        return [jobs.submit(session, tenant, rubric, new).id for _ in range(count)]


def take(session: Session, queue: str, room: int) -> list[uuid.UUID]:
    return [each.id for each in window.take(session, queue, room)]


def check_rows(database: Database, tenant: uuid.UUID) -> None:
    """What must be true of every job at every moment."""
    with database.session() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})  # one moment for all three
        rows = session.scalars(select(Job).where(Job.tenant_id == tenant)).all()
        ids = [job.id for job in rows]
        results = {r.job_id: r for r in session.scalars(select(Result).where(Result.job_id.in_(ids)))}
        attempts: dict[uuid.UUID, list[Attempt]] = {job_id: [] for job_id in ids}
        for each in session.scalars(select(Attempt).where(Attempt.job_id.in_(ids)).order_by(Attempt.number)):
            attempts[each.job_id].append(each)
        for job in rows:
            _check(job, results.get(job.id), attempts[job.id])


def _check(job: Job, result: Result | None, attempts: list[Attempt]) -> None:
    # Each attempt that ended has a row; the one that runs has none yet.
    ended = job.attempt - (job.state == "running")
    assert [a.number for a in attempts] == list(range(1, ended + 1))
    outcomes = [a.outcome for a in attempts]
    assert set(outcomes) <= {"succeeded", "failed", "cancelled", *BACK}
    assert (job.lease_until is not None) == (job.state == "running")
    assert (job.finished_at is not None) == (job.state in FINAL)
    assert job.dispatched_at is None or job.state == "queued"
    if job.state == "running":
        assert job.worker in WORKERS and job.started_at is not None
    if job.state == "succeeded":
        assert outcomes.count("succeeded") == 1 and outcomes[-1] == "succeeded"
        assert (result is None) == (job.erased_at is not None)
    else:
        assert "succeeded" not in outcomes and result is None
    if result is not None:
        # One result, and it is that of the attempt that succeeded, for this job and no other.
        assert (result.attempt, result.overall["score"]) == (job.attempt, job.attempt)
        assert result.scores[0]["score"] == str(job.id)
    if job.state == "failed" and job.erased_at is None:
        assert job.error is not None and job.error["code"] in ("unscorable", "worker_lost")
        if job.error["code"] == "worker_lost":
            assert outcomes[-1] in BACK and job.losses == MAX_ATTEMPTS
    if job.state in ("queued", "running", "succeeded"):
        assert job.error is None and job.losses < MAX_ATTEMPTS


@dataclass
class Model:
    """What a job should be: the sets of states are those in which it may be found."""

    states: set[str] = field(default_factory=lambda: {"queued"})
    attempt: int = 0
    losses: int = 0
    expired: bool = False
    erased: bool = False

    @property
    def state(self) -> str:
        (only,) = self.states
        return only


class JobMachine(RuleBasedStateMachine):
    """Everybody who touches jobs, one step after the other; `run_with` gives it its database."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.tenant, self.queue = tenant_of_its_own(self.database), f"{uuid.uuid4().hex}.any.bulk"
        self.models: dict[uuid.UUID, Model] = {}
        self.messages: list[list[uuid.UUID]] = []  # all that were ever sent: any may come again
        self.claims: list[Claimed] = []  # all that any worker ever got: it may write at any time

    @initialize()
    def begin(self) -> None:
        self.submit(1)

    @precondition(lambda self: len(self.models) < MOST_JOBS)
    @rule(count=st.integers(1, 2))
    def submit(self, count: int) -> None:
        for job_id in submit(self.database, self.tenant, self.queue, count):
            self.models[job_id] = Model()

    @rule(size=st.integers(1, 6))
    def dispatch(self, size: int) -> None:
        with self.database.session() as session:
            room = window.room(session, self.queue, size)
            taken = take(session, self.queue, room)
        assert len(taken) == len(set(taken)) <= room <= size
        assert all(self.models[job_id].state == "queued" for job_id in taken)
        if taken:
            self.messages.append(taken)

    @precondition(lambda self: self.messages)
    @rule(data=st.data(), worker=st.sampled_from(WORKERS))
    def deliver(self, data: st.DataObject, worker: str) -> None:
        """A message reaches a worker: now or late, for the first time or again."""
        self._claim(data.draw(st.sampled_from(self.messages)), worker)

    @precondition(lambda self: self.models)
    @rule(data=st.data(), workers=st.permutations(WORKERS))
    def deliver_to_all(self, data: st.DataObject, workers: list[str]) -> None:
        """The same ids come to every worker: the first gets what waits, the others nothing."""
        ids = data.draw(st.lists(st.sampled_from(sorted(self.models)), min_size=1, max_size=4))
        for n, worker in enumerate(workers):
            assert self._claim(ids, worker) == 0 or n == 0

    def _claim(self, ids: list[uuid.UUID], worker: str) -> int:
        with self.database.session() as session:
            held = jobs.claim(session, ids, worker, 60)
        assert {h.id for h in held} == {i for i in ids if self.models[i].state == "queued"}
        for each in held:
            model = self.models[each.id]
            model.states, model.attempt, model.expired = {"running"}, model.attempt + 1, False
            assert each.attempt == model.attempt
        self.claims += held
        return len(held)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), well=st.booleans())
    def write(self, data: st.DataObject, well: bool) -> None:
        """Any claim that ever was is written: in time, after its lease, by a twin, or twice."""
        chunk = data.draw(st.lists(st.sampled_from(self.claims), min_size=1, max_size=4, unique_by=lambda h: h.id))
        self._write(chunk, well)

    @precondition(lambda self: any(not self._holds(h) for h in self.claims))
    @rule(data=st.data(), well=st.booleans())
    def write_late(self, data: st.DataObject, well: bool) -> None:
        self._write([data.draw(st.sampled_from([h for h in self.claims if not self._holds(h)]))], well)

    def _write(self, chunk: list[Claimed], well: bool) -> None:
        with self.database.session() as session:
            moved = jobs.finish(session, [finished(h, well) for h in chunk], "m", "r")
        assert moved == {h.id for h in chunk if self._holds(h)}
        for job_id in moved:
            self.models[job_id].states = {"succeeded" if well else "failed"}

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        held = data.draw(st.sampled_from(self.claims))
        with self.database.session() as session:
            assert jobs.renew(session, [held], 60) == self._holds(held)
        if self._holds(held):
            self.models[held.id].expired = False

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def hand_back(self, data: st.DataObject) -> None:
        held = data.draw(st.sampled_from(self.claims))
        with self.database.session() as session:
            moved = jobs.hand_back(session, [held], GONE, MAX_ATTEMPTS, 0)
        assert {row["id"] for row in moved} == ({held.id} if self._holds(held) else set())
        self._returned(row["id"] for row in moved)

    def _holds(self, held: Claimed) -> bool:
        model = self.models[held.id]
        return model.states == {"running"} and model.attempt == held.attempt

    @precondition(lambda self: any(m.states == {"running"} for m in self.models.values()))
    @rule(data=st.data())
    def run_out(self, data: st.DataObject) -> None:
        """A worker is silent for as long as its lease."""
        job_id = data.draw(st.sampled_from(sorted(i for i, m in self.models.items() if m.states == {"running"})))
        run_out(self.database, [job_id])
        self.models[job_id].expired = True

    @precondition(lambda self: any(m.states == {"running"} for m in self.models.values()))
    @rule(data=st.data(), worker=st.sampled_from(WORKERS), well=st.booleans())
    def lose_and_grade_twice(self, data: st.DataObject, worker: str, well: bool) -> None:
        """A worker is silent past its lease, another one gets its job, and then the first one writes after all."""
        first = [h for h in self.claims if self._holds(h)]
        self.run_out(data)
        self.sweep()
        self._claim(sorted(self.models), worker)
        self._write(first, well)

    @rule()
    def sweep(self) -> None:
        with self.database.session() as session:
            moved = jobs.take_back(session, GONE, MAX_ATTEMPTS, 0)
            window.forget_lost(session, 0)
        mine = {row["id"] for row in moved} & set(self.models)
        assert mine == {i for i, m in self.models.items() if m.states == {"running"} and m.expired}
        self._returned(mine)

    def _returned(self, ids: Iterator[uuid.UUID] | set[uuid.UUID]) -> None:
        """They were lost, and try again as long as they may."""
        with self.database.session() as session:
            for job_id in ids:
                job, model = session.get_one(Job, job_id), self.models[job_id]
                model.losses += 1
                model.states = {"failed" if model.losses == MAX_ATTEMPTS else "queued"}
                assert (job.state, job.losses) == (model.state, model.losses)

    @precondition(lambda self: self.models)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.models)))
        model = self.models[job_id]
        may = model.state not in ("succeeded", "failed")
        assert self._asked(lambda session: jobs.cancel(session, self.tenant, job_id)) == may
        if may:
            model.states = {"cancelled"}

    @precondition(lambda self: self.models)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.models)))
        model = self.models[job_id]
        may = model.state in ("failed", "cancelled") and not model.erased
        assert self._asked(lambda session: jobs.retry(session, self.tenant, job_id)) == may
        if may:
            model.states, model.losses = {"queued"}, 0

    def _asked(self, move: Callable[..., object]) -> bool:
        try:
            with self.database.session() as session:
                move(session)
        except IllegalMove:
            return False
        return True

    @precondition(lambda self: self.models)
    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.models)))
        model = self.models[job_id]
        with self.database.session() as session:
            erase(session, self.tenant, job_id)
        model.erased = True
        if model.state not in FINAL:
            model.states = {"cancelled"}

    @invariant()
    def states_are_the_models(self) -> None:
        with self.database.session() as session:
            for job in session.scalars(select(Job).where(Job.tenant_id == self.tenant)):
                model = self.models[job.id]
                assert (job.state, job.attempt, job.erased_at is not None) == (model.state, model.attempt, model.erased)

    @invariant()
    def rows_are_sound(self) -> None:
        check_rows(self.database, self.tenant)


def run_out(database: Database, ids: list[uuid.UUID]) -> None:
    """Sets leases into the past."""
    with database.session() as session:
        past = text("clock_timestamp() - interval '1 s'")
        session.execute(update(Job).where(Job.id.in_(ids), Job.state == "running").values(lease_until=past))


def test_no_order_of_events_breaks_the_rules_of_jobs(database):
    # A class of its own, so that a second run in the same process has its own database.
    machine = type("OwnJobMachine", (JobMachine,), {"database": database})
    bounded = settings(
        max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True,
        phases=[Phase.reuse, Phase.generate],  # making a failure small takes minutes: it is done by hand
    )  # fmt: skip
    run_state_machine_as_test(machine, settings=bounded)


class Crowd:
    """Threads that do all of it at once for a while, each with its own seed."""

    def __init__(self, database: Database, tenant: uuid.UUID, queue: str, batches: list[uuid.UUID]) -> None:
        self.database, self.tenant, self.queue, self.batches = database, tenant, queue, batches
        self.ids = [job_id for each in batches for job_id in submit(database, tenant, queue, 20, each)]
        self.claims: list[Claimed] = []
        self.wrote: list[uuid.UUID] = []  # as often as a write said that it moved a job to succeeded
        self.errors: list[BaseException] = []

    def grade(self, rng: random.Random) -> None:
        """Claims what it is told, sometimes dawdles past its lease, and writes all the same, sometimes twice."""
        with self.database.session() as session:
            ids = take(session, self.queue, window.room(session, self.queue, 8))
        ids += rng.sample(self.ids, 4)  # and a message that came twice
        with self.database.session() as session:
            held = jobs.claim(session, ids, rng.choice(WORKERS), rng.choice((0.001, 0.005, 60)))
        self.claims += held
        time.sleep(rng.choice((0, 0.01)))
        if rng.random() < 0.5:  # or it dies, and what it holds is lost
            self._write(held)

    def write_late(self, rng: random.Random) -> None:
        if claims := list(self.claims):
            chunk = {h.id: h for h in rng.sample(claims[-60:], min(len(claims), 8))}
            self._write(list(chunk.values()))

    def _write(self, held: list[Claimed]) -> None:
        with self.database.session() as session:
            moved = jobs.finish(session, [finished(h) for h in held], "m", "r")
        self.wrote += moved

    def give_up(self, rng: random.Random) -> None:
        if claims := list(self.claims):
            with self.database.session() as session:
                jobs.hand_back(session, rng.sample(claims, min(len(claims), 3)), GONE, MAX_ATTEMPTS, 0)

    def sweep(self, rng: random.Random) -> None:
        with self.database.session() as session:
            jobs.take_back(session, GONE, MAX_ATTEMPTS, 0)
            window.forget_lost(session, 0.01)

    def cancel(self, rng: random.Random) -> None:
        """One that is in somebody's hands now, most likely."""
        job_id = rng.choice([h.id for h in self.claims[-8:]] or self.ids)
        with suppress(IllegalMove), self.database.session() as session:
            jobs.cancel(session, self.tenant, job_id)

    def retry(self, rng: random.Random) -> None:
        with suppress(IllegalMove), self.database.session() as session:
            jobs.retry(session, self.tenant, rng.choice(self.ids))

    def cancel_many(self, rng: random.Random) -> None:
        with self.database.session() as session:
            jobs.cancel_batch(session, self.tenant, rng.choice(self.batches))

    def retry_many(self, rng: random.Random) -> None:
        with self.database.session() as session:
            jobs.retry_failed(session, self.tenant, rng.choice((5, 60)))

    def run(self, seed: int, rounds: int, start: threading.Barrier) -> None:
        rng = random.Random(seed)
        doings = [self.grade] * 5 + [self.write_late, self.sweep, self.cancel, self.retry, self.retry_many] * 2
        doings += [self.give_up, self.cancel_many]
        try:
            start.wait(60)
            for _ in range(rounds):
                rng.choice(doings)(rng)
        except BaseException as error:  # noqa: BLE001 - the test tells it
            self.errors.append(error)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_claimers_twins_late_writers_cancels_and_sweeps_at_once_leave_every_job_with_one_end(
    database, tenant, queue, make_batch, seed
):
    crowd = Crowd(database, tenant, queue, [make_batch() for _ in range(3)])
    threads, start = [], threading.Barrier(6)
    for n in range(6):
        threads.append(threading.Thread(target=crowd.run, args=(100 * seed + n, 60, start)))
        threads[-1].start()
    while any(thread.is_alive() for thread in threads):
        check_rows(database, tenant)  # in the middle of it, too: a snapshot is never torn
        time.sleep(0.05)
    for thread in threads:
        thread.join()
    assert crowd.errors == []
    end(database, tenant, queue)
    check_rows(database, tenant)
    with database.session() as session:
        rows = session.scalars(select(Job).where(Job.tenant_id == tenant)).all()
        assert {job.state for job in rows} <= set(FINAL)
        done = {job.id for job in rows if job.state == "succeeded"}
    # Of all who wrote, one was told that it had, for each job that was not finished by `end`.
    assert len(crowd.wrote) == len(set(crowd.wrote))
    assert set(crowd.wrote) <= done


def end(database: Database, tenant: uuid.UUID, queue: str) -> None:
    """An honest worker and a sweep until nothing is left to do."""
    open_jobs = select(Job.id).where(Job.tenant_id == tenant, Job.state.not_in(FINAL))
    for _ in range(100):
        with database.session() as session:
            left = list(session.scalars(open_jobs))
        if not left:
            return
        run_out(database, left)
        with database.session() as session:
            jobs.take_back(session, GONE, MAX_ATTEMPTS, 0)
            held = jobs.claim(session, left, WORKERS[0], 60)
        with database.session() as session:
            jobs.finish(session, [finished(h) for h in held], "m", "r")
    raise AssertionError(f"{len(left)} jobs have no end")
