"""Batches on a real database: written whole, counted by one query, cancelled at once."""

from __future__ import annotations

import tracemalloc
import uuid

import pytest
from sqlalchemy import event, func, insert, select, text, update

from db import batches, jobs, regrading
from db.batch import Batch
from db.bulk import Manner, NewRow
from db.errors import BatchNotFound, IllegalMove
from db.job import Attempt, Job
from db.rubric import default_rubric
from db.submission import Embedding, Submission, fingerprint_of
from db.work import Finished
from tests.unit.db.test_jobs import RESULT


@pytest.fixture
def submit_batch(database, tenant, queue):
    def submit_batch(*rows: NewRow, count: int = 3) -> uuid.UUID:
        given = rows or [NewRow(f"Text {n}.", external_id=f"s-{n}") for n in range(count)]
        with database.session() as session:
            rubric, manner = default_rubric(session), Manner("m", queue)
            return batches.submit(session, tenant, rubric, manner, given, {"term": 1}, "none", queue).batch.id

    return submit_batch


def jobs_of(database, batch_id):
    with database.session() as session:
        return list(session.scalars(select(Job).where(Job.batch_id == batch_id).order_by(Job.id)))


def view_of(database, tenant, batch_id):
    with database.session() as session:
        return batches.find_batch(session, tenant, batch_id)


def graded(database, *ids):
    with database.session() as session:
        done = [Finished(h.id, h.attempt, {}, RESULT) for h in jobs.claim(session, ids, "w", 60)]
        jobs.finish(session, done, "m", "r")


def test_every_row_is_a_submission_and_a_queued_job_in_the_rows_order(database, tenant, submit_batch, queue):
    odd = 'tab\tline\nback\\slash "quotes" \\. \U0001f600'
    batch = submit_batch(NewRow(odd, "Why?", "s-1", {"a": [odd, None]}), NewRow("Second."))
    first, second = jobs_of(database, batch)
    assert (first.external_id, first.metadata_, first.state, first.priority) == (
        "s-1", {"a": [odd, None]}, "queued", "bulk",
    )  # fmt: skip
    assert (second.external_id, second.metadata_, second.share_id, second.queue) == (None, {}, batch, queue)
    with database.session() as session:
        kept = [session.get_one(Submission, each.submission_id) for each in (first, second)]
    assert [(s.text, s.prompt, s.fingerprint) for s in kept] == [
        (odd, "Why?", fingerprint_of(odd)),
        ("Second.", None, fingerprint_of("Second.")),
    ]


def test_thousands_of_rows_take_no_more_statements_than_three(database, submit_batch):
    said: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    counts = []
    for count in (3, 2000):
        said.clear()
        batch = submit_batch(count=count)
        counts.append(len(said))
        assert len(jobs_of(database, batch)) == count
    assert counts[0] == counts[1] <= 4  # and two COPYs, which SQLAlchemy does not see


def test_counts_state_and_end_follow_the_jobs(database, tenant, submit_batch):
    batch = submit_batch(count=4)
    ids = [job.id for job in jobs_of(database, batch)]
    before = view_of(database, tenant, batch)
    assert (before.state, before.figures.queued, before.eta_s, before.finished_at) == ("running", 4, None, None)
    graded(database, *ids[:2])
    during = view_of(database, tenant, batch)
    assert (during.state, during.figures.queued, during.figures.succeeded) == ("running", 2, 2)
    assert during.eta_s is not None and during.eta_s == pytest.approx(2 / during.figures.rate)
    graded(database, *ids[2:])
    after = view_of(database, tenant, batch)
    assert (after.state, after.figures.succeeded, after.eta_s) == ("finished", 4, 0.0)
    assert after.finished_at == max(job.finished_at for job in jobs_of(database, batch))


def test_cancelling_ends_what_waits_and_runs_and_leaves_what_is_graded(database, tenant, submit_batch):
    batch = submit_batch(count=4)
    ids = [job.id for job in jobs_of(database, batch)]
    graded(database, ids[0])
    with database.session() as session:
        running = jobs.claim(session, ids[1:2], "w", 60)
    with database.session() as session:
        batches.cancel(session, tenant, batch)
    view = view_of(database, tenant, batch)
    assert (view.state, view.figures.succeeded, view.figures.cancelled) == ("cancelled", 1, 3)
    with database.session() as session:
        assert session.get_one(Attempt, (ids[1], 1)).outcome == "cancelled"
        assert jobs.finish(session, [Finished(running[0].id, 1, {}, RESULT)], "m", "r") == set()
        batches.cancel(session, tenant, batch)  # twice does no harm
        jobs.retry(session, tenant, ids[2])
    assert view_of(database, tenant, batch).state == "running"


def test_a_finished_batch_is_not_cancelled(database, tenant, submit_batch):
    batch = submit_batch()
    graded(database, *[job.id for job in jobs_of(database, batch)])
    with pytest.raises(IllegalMove), database.session() as session:
        batches.cancel(session, tenant, batch)
    assert view_of(database, tenant, batch).state == "finished"


def test_nobody_sees_lists_or_cancels_the_batch_of_another_tenant(database, tenant, submit_batch):
    batch, stranger = submit_batch(), uuid.uuid4()
    for move in (batches.find_batch, batches.cancel):
        with pytest.raises(BatchNotFound), database.session() as session:
            move(session, stranger, batch)
    with database.session() as session:
        assert batches.list_batches(session, stranger, 10, None) == ([], None)
    assert view_of(database, tenant, batch).figures.queued == 3


def test_pages_of_a_list_hold_every_batch_once_with_its_counts(database, tenant, submit_batch):
    made = [submit_batch(count=n) for n in (1, 2, 3)]
    with database.session() as session:
        first, cursor = batches.list_batches(session, tenant, 2, None)
        second, end = batches.list_batches(session, tenant, 2, cursor)
    assert [view.batch.id for view in first + second] == made[::-1] and end is None
    assert [view.figures.queued for view in first + second] == [3, 2, 1]


def test_a_regrade_is_a_batch_and_one_of_nothing_has_finished(database, tenant, submit_batch):
    source = submit_batch()

    def regraded():
        with database.session() as session:
            return batches.regrade(
                session, tenant, default_rubric(session), "m", "m.any.regrade", "m.any.bulk"
            ).batch.id

    nothing = view_of(database, tenant, regraded())
    assert (nothing.batch.total, nothing.state, nothing.finished_at) == (0, "finished", nothing.batch.created_at)
    graded(database, *[job.id for job in jobs_of(database, source)][:2])
    view = view_of(database, tenant, regraded())
    assert (view.batch.total, view.figures.queued, view.state) == (2, 2, "running")


def regrade(database, tenant):
    with database.session() as session:
        return batches.regrade(session, tenant, default_rubric(session), "m", "light", "heavy").batch.id


def test_a_regrade_repeats_each_submissions_newest_job_in_the_order_of_rows(database, tenant, submit_batch):
    rows = [NewRow(f"Text {n}.", external_id=f"s-{n}", metadata={"n": n}) for n in range(3)]
    first = jobs_of(database, submit_batch(*rows))
    graded(database, *[job.id for job in first])
    with database.session() as session:
        session.execute(update(Job).where(Job.id == first[1].id).values(explain=True, device="cpu"))
        keep = insert(Embedding).values(model="m", revision="r", vector=b"")
        session.execute(keep, [{"submission_id": job.submission_id} for job in first[:2]])
    second = jobs_of(database, regrade(database, tenant))
    assert [(job.external_id, job.metadata_) for job in second] == [(f"s-{n}", {"n": n}) for n in range(3)]
    assert [job.queue for job in second] == ["light", "heavy", "heavy"]  # reasons and new vectors need the text
    assert [(job.explain, job.device) for job in second] == [(False, "any"), (True, "cpu"), (False, "any")]
    assert {(job.priority, job.state, job.share_id == job.batch_id) for job in second} == {("bulk", "queued", True)}
    assert [job.source_id for job in second] == [job.id for job in first]
    graded(database, *[job.id for job in second[:2]])
    third = jobs_of(database, regrade(database, tenant))
    assert [job.source_id for job in third] == [second[0].id, second[1].id, first[2].id]


def test_a_class_is_graded_again_without_being_held_in_memory(database, tenant, submit_batch):
    source = submit_batch(count=3000)
    with database.session() as session:
        session.execute(update(Job).where(Job.batch_id == source).values(state="succeeded", finished_at=func.now()))
    tracemalloc.start()
    try:
        batch = regrade(database, tenant)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert view_of(database, tenant, batch).figures.queued == 3000
    assert peak < 2**20


def test_ids_of_a_regrade_are_in_the_order_of_its_rows(database):
    numbered = text(f"SELECT {regrading.NTH_ID} FROM generate_series(1, 40000) AS n ORDER BY n")  # noqa: S608 - a constant
    with database.session() as session:
        made = list(session.scalars(numbered, {"moment": "0198f0c27a1b"}))
    assert made == sorted(set(made)) and {(each.version, each.variant) for each in made} == {(7, uuid.RFC_4122)}
    assert {each.hex[:12] for each in made} == {"0198f0c27a1b"}


def test_the_metadata_of_a_batch_is_its_own(database, tenant, submit_batch):
    batch = submit_batch()
    with database.session() as session:
        assert session.get_one(Batch, batch).metadata_ == {"term": 1}
    assert {str(job.metadata_) for job in jobs_of(database, batch)} == {"{}"}
