"""The state of a job moves only as it may, whoever asks, and however late."""

from __future__ import annotations

import threading
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from db import jobs
from db.erasing import erase
from db.errors import IllegalMove, JobNotFound
from db.finding import Filters, find_job, list_jobs
from db.job import Attempt, Job
from db.session import Database
from db.submission import Submission
from db.work import Claimed, Finished, Scorer

LOST = {"type": "t", "title": "t", "status": 500, "code": "worker_lost", "detail": "gone"}
RESULT = {
    "scores": [], "overall": {"score": 1.0, "min": 0, "max": 1, "interval": [0, 1]}, "advisories": [],
    "scored_by": {}, "degraded": False, "review_reasons": [],
}  # fmt: skip


def claim(database: Database, *ids: uuid.UUID, lease_s: float = 60, worker: str = "w") -> list[Claimed]:
    with database.session() as session:
        return jobs.claim(session, ids, worker, lease_s)


def write(database: Database, *held: Claimed) -> set[uuid.UUID]:
    done = [Finished(h.id, h.attempt, {"engine": "e"}, RESULT, vector=b"\0\0") for h in held]
    with database.session() as session:
        return jobs.finish(session, done, "m", "r")


def state(database: Database, job_id: uuid.UUID) -> str:
    with database.session() as session:
        return session.get_one(Job, job_id).state


def test_a_claimed_job_carries_all_that_grading_needs(database, submit):
    held = claim(database, submit(text="A text."))[0]
    assert (held.text, held.prompt, held.attempt) == ("A text.", None, 1)
    assert [c["name"] for c in held.criteria] == ["Structure", "Clarity", "Relevance", "Academic_Writing"]


def test_a_redelivered_message_grades_nothing_twice(database, submit):
    job = submit()
    assert len(claim(database, job)) == 1
    assert claim(database, job, worker="twin") == []


def test_an_earlier_result_is_looked_for_among_the_jobs_of_the_text_not_among_all_of_the_rubric(database, submit):
    """Also where the server has not looked at the tables yet: so it is while a first large batch is graded."""
    first, second = submit(text="A text that comes twice."), submit(text="A text that comes twice.")
    write(database, *claim(database, first))
    scans = text("SELECT pg_stat_get_xact_numscans('ix_job_rubric_id_finished_at'::regclass)")
    with database.session() as session:
        before = session.scalar(scans)
        jobs.claim(session, [second], "w", 60, Scorer("m", "r", "e", "h", reuse=True))
        assert session.scalar(scans) == before


def test_of_many_claimers_at_once_each_job_has_one(database, submit):
    ids = [submit() for _ in range(20)]
    won: list[uuid.UUID] = []
    start = threading.Barrier(4)

    def run() -> None:
        start.wait()
        won.extend(h.id for h in claim(database, *ids))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == sorted(ids)


def test_a_result_is_kept_with_its_timings(database, submit, tenant):
    job = submit()
    assert write(database, *claim(database, job)) == {job}
    with database.session() as session:
        view = find_job(session, tenant, job)
        assert view.job.state == "succeeded"
        assert view.result and view.result.overall["score"] == 1.0
        assert view.attempt and 0 < view.attempt.persist_ms <= view.attempt.total_ms
        assert view.attempt.total_ms and view.attempt.queue_ms >= 0


def test_a_late_twin_changes_nothing(database, submit, tenant):
    job = submit()
    late = claim(database, job, lease_s=0)
    with database.session() as session:
        jobs.take_back(session, LOST, 3, 0)
    now = claim(database, job, worker="other")
    assert write(database, *late) == set()
    assert state(database, job) == "running"
    assert write(database, *now) == {job}
    with database.session() as session:
        view = find_job(session, tenant, job)
        assert view.result and view.result.attempt == 2


def test_a_lost_job_returns_until_it_has_no_attempt_left(database, submit):
    job = submit()
    for attempt in (1, 2, 3):
        assert state(database, job) == "queued"
        assert claim(database, job, lease_s=0)[0].attempt == attempt
        with database.session() as session:
            jobs.take_back(session, LOST, 3, 0)
    with database.session() as session:
        failed = session.get_one(Job, job)
        assert (failed.state, failed.error) == ("failed", LOST)
        assert session.get_one(Attempt, (job, 2)).outcome == "lost"


def lose(database: Database, job: uuid.UUID, times: int, most: int = 3) -> None:
    for _ in range(times):
        claim(database, job, lease_s=0)
        with database.session() as session:
            jobs.take_back(session, LOST, most, 0)


def losses(database: Database, job: uuid.UUID) -> tuple[str, int, int]:
    with database.session() as session:
        found = session.get_one(Job, job)
        return found.state, found.attempt, found.losses


def test_what_a_stopping_worker_hands_back_is_no_loss_and_waits_for_nothing(database, submit):
    job = submit()
    lose(database, job, 2)
    for attempt in (3, 4, 5):
        held = claim(database, job)
        assert held[0].attempt == attempt
        with database.session() as session:
            jobs.hand_back(session, held, LOST, 3, 600, counted=False)
    assert losses(database, job) == ("queued", 5, 2)
    lose(database, job, 1)
    assert losses(database, job) == ("failed", 6, 3)


def test_a_persons_retry_gives_a_job_all_its_attempts_again(database, submit, tenant):
    job = submit()
    lose(database, job, 3)
    with database.session() as session:
        jobs.retry(session, tenant, job)
    assert losses(database, job) == ("queued", 3, 0)
    lose(database, job, 2)
    assert losses(database, job) == ("queued", 5, 2)
    assert write(database, *claim(database, job)) == {job}


def test_a_message_takes_only_jobs_that_were_lost_as_often_as_when_it_was_cut(database, submit):
    fresh, suspect = submit(), submit()
    lose(database, suspect, 1)
    with database.session() as session:
        first = jobs.claim(session, [fresh, suspect], "w", 60, losses=0)
    with database.session() as session:
        second = jobs.claim(session, [fresh, suspect], "w", 60, losses=1)
    assert ([h.id for h in first], [h.id for h in second]) == ([fresh], [suspect])


def test_a_parent_gives_back_what_its_own_worker_held_and_nothing_else(database, submit):
    ours, done, other = submit(), submit(), submit()
    held = claim(database, ours, done, worker="mine")
    claim(database, other, worker="another")
    write(database, next(h for h in held if h.id == done))
    with database.session() as session:
        moved = jobs.take_from(session, "mine", [ours, done, other], LOST, 3, 0)
    assert [row["id"] for row in moved] == [ours]
    assert [state(database, job) for job in (ours, done, other)] == ["queued", "succeeded", "running"]
    assert losses(database, ours) == ("queued", 1, 1)
    claim(database, ours, worker="mine")
    with database.session() as session:
        jobs.take_from(session, "mine", None, LOST, 3, 0, counted=False)
    assert losses(database, ours) == ("queued", 2, 1) and state(database, other) == "running"


def test_a_renewed_lease_is_not_taken_back(database, submit):
    job = submit()
    held = claim(database, job, lease_s=0)
    with database.session() as session:
        assert jobs.renew(session, held, 60) == 1
    with database.session() as session:
        jobs.take_back(session, LOST, 3, 0)
    assert state(database, job) == "running"


def test_a_job_in_backoff_is_not_claimed_by_an_old_message(database, submit):
    job = submit()
    for _ in range(2):
        held = claim(database, job)
        with database.session() as session:
            jobs.hand_back(session, held, LOST, 5, 30)
    assert claim(database, job) == []


def test_cancelling_a_running_job_wins_over_its_result(database, submit, tenant):
    job = submit()
    held = claim(database, job)
    with database.session() as session:
        jobs.cancel(session, tenant, job)
        jobs.cancel(session, tenant, job)
    assert write(database, *held) == set()
    assert state(database, job) == "cancelled"


def test_a_finished_job_is_neither_cancelled_nor_retried(database, submit, tenant):
    job = submit()
    write(database, *claim(database, job))
    with pytest.raises(IllegalMove), database.session() as session:
        jobs.cancel(session, tenant, job)
    with pytest.raises(IllegalMove), database.session() as session:
        jobs.retry(session, tenant, job)


def test_a_cancelled_job_can_be_retried_and_then_graded(database, submit, tenant):
    job = submit()
    with database.session() as session:
        jobs.cancel(session, tenant, job)
        jobs.retry(session, tenant, job)
    assert write(database, *claim(database, job)) == {job}


def test_erasing_leaves_a_tombstone_without_text_or_scores(database, submit, tenant):
    job = submit(text="private words")
    write(database, *claim(database, job))
    with database.session() as session:
        erase(session, tenant, job)
        erase(session, tenant, job)
    with database.session() as session:
        view = find_job(session, tenant, job)
        assert (view.job.state, view.result) == ("succeeded", None)
        assert view.job.erased_at and view.job.finished_at
        assert session.get_one(Submission, view.job.submission_id).text == ""


def test_nobody_sees_or_moves_the_job_of_another_tenant(database, submit):
    job, stranger = submit(), uuid.uuid4()
    for move in (find_job, jobs.cancel, jobs.retry, erase):
        with pytest.raises(JobNotFound), database.session() as session:
            move(session, stranger, job)
    with database.session() as session:
        assert list_jobs(session, stranger, Filters(), 10, None) == ([], None)


def test_the_row_of_another_tenants_job_is_not_even_read(database, submit):
    job, stranger, read = submit(), uuid.uuid4(), []

    def note(row, _):
        read.append(row)

    event.listen(Job, "load", note)
    try:
        for move in (find_job, jobs.cancel, jobs.retry, erase):
            with pytest.raises(JobNotFound), database.session() as session:
                move(session, stranger, job)
        assert not read, "reading it takes time, and tells that it is there"
    finally:
        event.remove(Job, "load", note)


def test_pages_of_a_list_hold_every_job_once(database, submit, tenant):
    ids = [submit() for _ in range(7)]
    seen, cursor = [], None
    while True:
        with database.session() as session:
            page, cursor = list_jobs(session, tenant, Filters(), 3, cursor)
        seen += [view.job.id for view in page]
        if cursor is None:
            break
    assert seen == sorted(ids, reverse=True)


MOVES = st.lists(
    st.sampled_from(["claim", "finish", "late", "sweep", "expire", "cancel", "retry", "hand_back"]), max_size=12
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MOVES)
def test_no_order_of_events_leaves_the_allowed_states(database, submit, tenant, moves):
    job = submit()
    holders: list[Claimed] = []
    for move in moves:
        before = state(database, job)
        _do(database, tenant, job, holders, move)
        after = state(database, job)
        allowed = {
            "queued": {"queued", "running", "cancelled"},
            "running": {"running", "queued", "succeeded", "failed", "cancelled"},
            "succeeded": {"succeeded"},
            "failed": {"failed", "queued"},
            "cancelled": {"cancelled", "queued"},
        }
        assert after in allowed[before]
        if before in ("failed", "cancelled") and after == "queued":
            assert move == "retry"
        if after == "succeeded":
            with database.session() as session:
                assert find_job(session, tenant, job).result is not None


def _do(database, tenant, job, holders, move):
    with database.session() as session:
        match move:
            case "claim":
                holders += jobs.claim(session, [job], "w", 60)
            case "expire":
                holders += jobs.claim(session, [job], "w", 0)
            case "sweep":
                jobs.take_back(session, LOST, 3, 0)
            case "hand_back":
                jobs.hand_back(session, holders[-1:], LOST, 3, 0)
            case "cancel" | "retry":
                try:
                    getattr(jobs, move)(session, tenant, job)
                except IllegalMove:
                    session.rollback()
    if move in ("finish", "late") and holders:
        write(database, holders[-1 if move == "finish" else 0])
