"""What goes to the broker, and in which order."""

from __future__ import annotations

from db import jobs, window
from tests.tenants import new_tenant


def take(database, queue, size):
    with database.session() as session:
        return [job.id for job in window.take(session, queue, window.room(session, queue, size))]


def test_the_oldest_goes_first_and_only_what_fits(database, submit, queue):
    ids = [submit() for _ in range(5)]
    assert take(database, queue, 3) == ids[:3]
    assert take(database, queue, 3) == []


def test_a_claim_makes_room(database, submit, queue):
    ids = [submit() for _ in range(3)]
    assert take(database, queue, 2) == ids[:2]
    with database.session() as session:
        jobs.claim(session, ids[:1], "w", 60)
    assert take(database, queue, 2) == ids[2:]


def test_what_could_not_be_sent_is_taken_again(database, submit, queue):
    ids = [submit() for _ in range(2)]
    taken = take(database, queue, 2)
    with database.session() as session:
        window.put_back(session, taken)
    assert take(database, queue, 2) == ids


def test_a_lost_message_is_sent_again_after_its_time(database, submit, queue):
    ids = [submit()]
    take(database, queue, 2)
    with database.session() as session:
        window.forget_lost(session, 3600)
    assert take(database, queue, 2) == []
    with database.session() as session:
        window.forget_lost(session, 0)
    assert take(database, queue, 2) == ids


def test_jobs_are_taken_with_how_often_they_were_lost(database, submit, queue):
    once, never = submit(), submit()
    with database.session() as session:
        jobs.claim(session, [once], "w", 0)
    with database.session() as session:
        jobs.take_back(session, {}, 3, 0)
    with database.session() as session:
        assert window.take(session, queue, 5) == [(once, 1), (never, 0)]


def test_messages_of_one_queue_are_lost_and_those_of_others_are_not(database, submit, queue):
    ids = [submit()]
    take(database, queue, 2)
    with database.session() as session:
        assert queue in window.stale_queues(session, 0) and queue not in window.stale_queues(session, 3600)
        window.forget_lost(session, 0, "another queue")
    assert take(database, queue, 2) == []
    with database.session() as session:
        window.forget_lost(session, 0, queue)
        assert queue not in window.stale_queues(session, 0)
    assert take(database, queue, 2) == ids


def test_a_tenant_with_much_work_delays_another_by_a_turn_at_most(database, submit, queue):
    for _ in range(20):
        submit()
    with database.session() as session:
        other_id = new_tenant(session)
    late = submit(owner=other_id)
    assert late in take(database, queue, 2)


def test_batches_of_a_tenant_take_turns(database, submit, make_batch, queue):
    first, second = make_batch(), make_batch()
    a = [submit(batch=first) for _ in range(4)]
    b = [submit(batch=second) for _ in range(4)]
    assert sorted(take(database, queue, 4)) == sorted([*a[:2], *b[:2]])


def test_a_big_batch_fills_the_room_that_many_small_ones_leave(database, submit, make_batch, queue):
    small = [submit(batch=make_batch()) for _ in range(9)]
    big = make_batch()
    large = [submit(batch=big) for _ in range(40)]
    assert sorted(take(database, queue, 30)) == sorted([*small, *large[:21]])
    assert take(database, queue, 60) == large[21:]


def test_a_queue_with_waiting_work_is_found(database, submit, queue):
    submit()
    with database.session() as session:
        assert queue in window.waiting_queues(session)
    take(database, queue, 5)
    with database.session() as session:
        assert queue not in window.waiting_queues(session)
