"""Statements that move several rows lock them in the order of their ids, or leave what another is moving: no two of them can
wait for each other, in whatever order the rows lie in the table."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from db import jobs, window
from db.errors import DatabaseAway

FIRST = text("SELECT id FROM job WHERE id = :id FOR UPDATE")
JOBS_NOW = text("SELECT id FROM job WHERE id = ANY(:ids) FOR UPDATE NOWAIT")
BATCH_NOW = text("SELECT id FROM batch WHERE id = :id FOR UPDATE NOWAIT")
WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")


@pytest.fixture
def rows(database, submit, make_batch, tenant) -> SimpleNamespace:
    """Three jobs of a batch, of which the one with the least id lies last in the table and in its indexes."""
    batch = make_batch()
    ids = [submit(batch=batch) for _ in range(3)]
    with database.session() as session:
        jobs.cancel(session, tenant, ids[0])
    with database.session() as session:
        jobs.retry(session, tenant, ids[0])
    return SimpleNamespace(batch=batch, ids=ids)


def change(database, statement: str, **values: object) -> None:
    with database.session() as session:
        session.execute(text(statement), values)


@contextmanager
def at_the_same_time(database, move: Callable[..., object]) -> Iterator[list[object]]:
    """Runs a move in another transaction, and gives what it returned when it is over."""
    outcome: list[object] = []

    def run() -> None:
        with database.session() as session:
            outcome.append(move(session))

    thread = threading.Thread(target=run)
    thread.start()
    yield outcome
    thread.join(30)
    assert not thread.is_alive()


def another_waits(session) -> bool:
    """Whether another transaction waits for this one, or does so within half a minute."""
    for _ in range(600):
        if session.scalar(WAITING):
            return True
        time.sleep(0.05)
    return False


def moves_of(rows, tenant, queue) -> dict[str, Callable[..., object]]:
    """Each of them waits for a job that is locked."""
    return {
        "release": lambda session: jobs.release(session, rows.batch),
        "put_back": lambda session: window.put_back(session, rows.ids),
        "cancel_batch": lambda session: jobs.cancel_batch(session, tenant, rows.batch),
        "renew": lambda session: jobs.renew(session, rows.claims, 60),
    }


@pytest.mark.parametrize("move", ["release", "put_back", "cancel_batch", "renew"])
def test_what_waits_for_a_job_holds_none_with_a_greater_id(database, rows, tenant, queue, move):
    if move == "release":
        change(database, "UPDATE job SET held = true WHERE batch_id = :batch", batch=rows.batch)
    if move == "put_back":
        with database.session() as session:
            window.take(session, queue, 3)
    if move == "renew":
        with database.session() as session:
            rows.claims = jobs.claim(session, rows.ids, "w", 60)
    with database.session() as session:
        session.execute(FIRST, {"id": rows.ids[0]})
        with at_the_same_time(database, moves_of(rows, tenant, queue)[move]):
            assert another_waits(session)
            session.execute(JOBS_NOW, {"ids": rows.ids[1:]})
            session.rollback()


def test_dispatch_leaves_a_job_that_somebody_is_moving(database, rows, queue):
    with database.session() as session:
        session.execute(FIRST, {"id": rows.ids[0]})
        with database.session() as other:
            assert [job.id for job in window.take(other, queue, 3)] == rows.ids[1:]
    with database.session() as session:
        assert [job.id for job in window.take(session, queue, 3)] == rows.ids[:1]


def test_a_lost_message_of_a_job_that_somebody_is_moving_is_left_to_that(database, rows, queue):
    with database.session() as session:
        window.take(session, queue, 3)
    with database.session() as session:
        session.execute(FIRST, {"id": rows.ids[0]})
        with database.session() as other:
            assert window.forget_lost(other, 0, queue) == 2
    with database.session() as session:
        assert window.forget_lost(session, 0, queue) == 1


def test_retries_of_many_lock_batches_that_were_told_of_in_the_order_of_their_ids(database, submit, make_batch, tenant):
    first, second = sorted(make_batch() for _ in range(2))
    for batch in (second, first):  # the job of the first batch comes after that of the second
        job = submit(batch=batch)
        change(database, "UPDATE job SET state = 'failed', finished_at = now() WHERE id = :id", id=job)
    change(database, "UPDATE batch SET told_at = now() WHERE id = ANY(:ids)", ids=[first, second])
    with database.session() as session:
        session.execute(text("SELECT id FROM batch WHERE id = :id FOR UPDATE"), {"id": first})
        with at_the_same_time(database, lambda other: jobs.retry_failed(other, tenant, 10)) as outcome:
            assert another_waits(session)
            session.execute(BATCH_NOW, {"id": second})
            session.rollback()
    assert sum(outcome[0].values()) == 2
    with database.session() as session:
        told = text("SELECT count(*) FROM batch WHERE id = ANY(:ids) AND told_at IS NOT NULL")
        assert session.scalar(told, {"ids": [first, second]}) == 0


def test_a_change_that_stood_in_anothers_way_may_be_tried_again(database, submit):
    one, two = submit(), submit()
    start, ends = threading.Barrier(2), []

    def crosswise(*ids: uuid.UUID) -> None:
        try:
            with database.session() as session:
                session.execute(FIRST, {"id": ids[0]})
                start.wait(30)
                session.execute(FIRST, {"id": ids[1]})
            ends.append("done")
        except DatabaseAway as error:
            ends.append(str(error))

    threads = [threading.Thread(target=crosswise, args=ids) for ids in ((one, two), (two, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ends) == ["done", "two changes of the same rows stood in each other's way"]
