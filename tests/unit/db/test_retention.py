"""What has been kept for long enough is erased, and nothing that is still needed."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import func, select, text

from broker.app import make_app
from broker.dispatch import Dispatch
from broker.settings import BrokerSettings
from broker.sweep import forget
from db import jobs, regrading, retention
from db.audit import Audit, list_audit
from db.batch import Batch
from db.erasing import erase
from db.errors import IllegalMove
from db.finding import find_job
from db.job import Job, Result
from db.rubric import default_rubric
from db.submission import Embedding, Submission
from db.work import Finished
from tests.tenants import new_tenant
from tests.unit.db.test_jobs import LOST, RESULT, claim, state

DAYS = 30
REASONED = {**RESULT, "scores": [
    {"criterion": "A", "score": 1.0, "reasons": [{"text": "a private sentence"}]}, {"criterion": "B", "score": 2.0},
]}  # fmt: skip


@pytest.fixture(autouse=True)
def _after_earlier_tests(database):
    with database.session() as session:
        session.execute(
            text("UPDATE retention SET until = clock_timestamp() - make_interval(days => :days)"), {"days": DAYS + 1}
        )


def graded(database, job):
    done = [Finished(h.id, h.attempt, {"engine": "e"}, REASONED, vector=b"\0\0") for h in claim(database, job)]
    with database.session() as session:
        jobs.finish(session, done, "m", "r")
    return job


def age(database, *ids, days=DAYS + 1):
    with database.session() as session:
        session.execute(
            text("UPDATE job SET finished_at = finished_at - make_interval(days => :days) WHERE id = ANY(:ids)"),
            {"days": days, "ids": list(ids)},
        )


def all_texts(database, most=500):
    total = 0
    for _ in range(1000):
        with database.session() as session:
            before = session.scalar(text("SELECT until FROM retention WHERE what = 'texts'"))
            total += retention.erase_texts(session, DAYS, most)
            session.flush()
            if session.scalar(text("SELECT until FROM retention WHERE what = 'texts'")) == before:
                return total
    raise AssertionError("it does not come to an end")


def all_results(database, most=500):
    with database.session() as session:
        return retention.erase_results(session, DAYS, most)


def text_of(database, job):
    with database.session() as session:
        return session.get_one(Submission, session.get_one(Job, job).submission_id).text


def vectors_of(database, job):
    with database.session() as session:
        found = select(func.count()).where(Embedding.submission_id == session.get_one(Job, job).submission_id)
        return session.scalar(found)


def audit(database, tenant):
    with database.session() as session:
        return [(line.who, line.what, line.subjects) for line in list_audit(session, tenant, 100, None)[0]]


def test_an_old_text_goes_with_its_vector_and_its_quotations_and_the_scores_stay(database, submit, tenant):
    old, young = graded(database, submit(text="private words")), graded(database, submit(text="new words"))
    age(database, old)
    all_texts(database)
    assert (text_of(database, old), vectors_of(database, old)) == ("", 0)
    assert (text_of(database, young), vectors_of(database, young)) == ("new words", 1)
    with database.session() as session:
        view = find_job(session, tenant, old)
        assert view.result.scores == [{"criterion": "A", "score": 1.0}, {"criterion": "B", "score": 2.0}]
        assert view.job.erased_at and view.job.state == "succeeded"
        assert "reasons" in find_job(session, tenant, young).result.scores[0]
    assert audit(database, tenant) == [("retention", "texts erased", [old])]


def test_old_results_go_with_what_came_with_the_job_and_the_text_stays(database, submit, tenant):
    old = graded(database, submit(text="private words"))
    age(database, old)
    with database.session() as session:
        session.execute(text("UPDATE job SET external_id = 's-1', metadata = '{\"a\": 1}' WHERE id = :id"), {"id": old})
    all_results(database)
    with database.session() as session:
        view = find_job(session, tenant, old)
        assert (view.result, view.job.external_id, view.job.metadata_) == (None, None, {})
        assert view.job.erased_at and view.job.finished_at
    assert text_of(database, old) == "private words"
    assert audit(database, tenant) == [("retention", "results erased", [old])]


def test_what_waits_or_runs_is_never_erased(database, submit):
    waits, runs, again = submit(), submit(), submit()
    claim(database, runs)
    with database.session() as session:
        jobs.finish(
            session,
            [Finished(h.id, h.attempt, {}, error=LOST) for h in jobs.claim(session, [again], "w", 60)],
            "m",
            "r",
        )
    age(database, again)
    with database.session() as session:
        owner = session.get_one(Job, again).tenant_id
        jobs.retry(session, owner, again)
        session.execute(
            text("UPDATE job SET created_at = created_at - interval '1 year' WHERE id = ANY(:ids)"),
            {"ids": [waits, runs, again]},
        )
    all_texts(database)
    all_results(database)
    assert [text_of(database, job) for job in (waits, runs, again)] == ["Some text."] * 3
    assert [state(database, job) for job in (waits, runs, again)] == ["queued", "running", "queued"]


def test_a_text_that_several_jobs_share_goes_with_the_last_of_them(database, submit, tenant):
    first = graded(database, submit(text="shared words"))
    with database.session() as session:
        batch = Batch(tenant_id=tenant, rubric_id=default_rubric(session).id, total=1)
        session.add(batch)
        session.flush()
        assert regrading.regrade(session, tenant, default_rubric(session), batch.id, "m", "light", "heavy") == 1
        batch_id = batch.id
    with database.session() as session:
        second = session.scalar(select(Job.id).where(Job.batch_id == batch_id))
    age(database, first)
    all_texts(database)
    assert text_of(database, first) == "shared words"
    graded(database, second)
    all_texts(database)
    assert text_of(database, first) == "shared words"
    age(database, second)
    all_texts(database)
    assert (text_of(database, first), audit(database, tenant)) == ("", [("retention", "texts erased", [first, second])])


def test_a_round_is_bounded_and_rounds_come_to_an_end(database, submit):
    ids = [graded(database, submit(text=f"Text {n}.")) for n in range(7)]
    age(database, *ids)
    with database.session() as session:  # as jobs of one transaction do, three end in the same moment
        session.execute(
            text("UPDATE job SET finished_at = (SELECT finished_at FROM job WHERE id = :one) WHERE id = ANY(:ids)"),
            {"one": ids[0], "ids": ids[:3]},
        )
    with database.session() as session:
        assert 0 < retention.erase_texts(session, DAYS, 2) <= 3
    all_texts(database, most=2)
    assert {text_of(database, job) for job in ids} == {""}


def test_a_job_without_a_text_is_neither_retried_nor_graded_again(database, submit, tenant):
    failed = submit()
    with database.session() as session:
        held = jobs.claim(session, [failed], "w", 60)
        jobs.finish(session, [Finished(h.id, h.attempt, {}, error=LOST) for h in held], "m", "r")
    done = graded(database, submit())
    age(database, failed, done)
    all_texts(database)
    with pytest.raises(IllegalMove, match="erased"), database.session() as session:
        jobs.retry(session, tenant, failed)
    with database.session() as session:
        assert jobs.retry_failed(session, tenant, 10) == {}
        assert session.get_one(Job, failed).error["code"] == "worker_lost"
        batch = Batch(tenant_id=tenant, rubric_id=default_rubric(session).id, total=0)
        session.add(batch)
        session.flush()
        assert regrading.regrade(session, tenant, default_rubric(session), batch.id, "m", "light", "heavy") == 0


def test_a_regrade_during_an_erasure_waits_for_it_and_takes_up_no_empty_text(database, submit, tenant):
    old = graded(database, submit())
    age(database, old)
    made = []

    def regrade():
        with database.session() as session:
            batch = Batch(tenant_id=tenant, rubric_id=default_rubric(session).id, total=0)
            session.add(batch)
            session.flush()
            made.append(regrading.regrade(session, tenant, default_rubric(session), batch.id, "m", "light", "heavy"))

    thread = threading.Thread(target=regrade)
    with database.session() as session:
        retention.erase_texts(session, DAYS, 500)
        session.flush()
        thread.start()
        thread.join(timeout=0.5)
        assert thread.is_alive() and not made
    thread.join(timeout=60)
    assert made == [0] and text_of(database, old) == ""


def test_a_retry_before_an_erasure_keeps_its_text(database, submit, tenant):
    failed = submit()
    with database.session() as session:
        jobs.cancel(session, tenant, failed)
    age(database, failed)
    erased = []

    def round_of_retention():
        with database.session() as session:
            erased.append(retention.erase_texts(session, DAYS, 500))

    thread = threading.Thread(target=round_of_retention)
    with database.session() as session:
        jobs.retry(session, tenant, failed)
        thread.start()
        thread.join(timeout=0.5)
    thread.join(timeout=60)
    assert (state(database, failed), text_of(database, failed)) == ("queued", "Some text.")


def test_while_one_process_erases_another_does_nothing(database, submit):
    old = graded(database, submit())
    age(database, old)
    with database.session() as first:
        retention.erase_texts(first, DAYS, 500)
        with database.session() as second:
            assert retention.erase_texts(second, DAYS, 500) == 0


def test_an_erasure_by_request_says_who_asked_and_leaves_nothing_for_retention(database, submit, tenant):
    job = graded(database, submit())
    with database.session() as session:
        erase(session, tenant, job, "key-1")
    age(database, job)
    all_texts(database)
    all_results(database)
    assert audit(database, tenant) == [("key-1", "erased", [job])]


def test_an_erasure_that_is_undone_leaves_no_line(database, submit, tenant):
    job = graded(database, submit(text="kept"))
    with pytest.raises(RuntimeError), database.session() as session:
        erase(session, tenant, job)
        raise RuntimeError
    assert audit(database, tenant) == [] and text_of(database, job) == "kept"


def test_each_tenant_has_its_own_line(database, submit, tenant):
    with database.session() as session:
        other_id = new_tenant(session)
    mine, theirs = graded(database, submit()), graded(database, submit(owner=other_id))
    age(database, mine, theirs)
    all_texts(database)
    assert audit(database, tenant) == [("retention", "texts erased", [mine])]
    assert audit(database, other_id) == [("retention", "texts erased", [theirs])]


def test_the_sweep_erases_only_what_the_settings_say(database, servers, submit):
    urls = {"database_url": servers.database_url, "redis_url": servers.redis_url}
    old = graded(database, submit(text="old"))
    age(database, old, days=3)

    def sweep(**settings):
        chosen = BrokerSettings(**urls, **settings)
        app = make_app(chosen)
        forget(Dispatch(database, app, chosen))
        app.close()

    sweep()
    sweep(retain_texts_days=4, retain_results_days=4)
    with database.session() as session:
        assert session.get(Result, old)
    assert text_of(database, old) == "old"
    sweep(retain_texts_days=2)
    with database.session() as session:
        assert session.get(Result, old)
    assert text_of(database, old) == ""
    sweep(retain_results_days=2)
    with database.session() as session:
        assert session.get(Result, old) is None


def test_lines_come_newest_first_page_after_page(database, submit, tenant):
    jobs_of_page = [graded(database, submit()) for _ in range(3)]
    for job in jobs_of_page:
        with database.session() as session:
            erase(session, tenant, job)
    with database.session() as session:
        page, cursor = list_audit(session, tenant, 2, None)
        rest, end = list_audit(session, tenant, 2, cursor)
    assert [line.subjects[0] for line in (*page, *rest)] == jobs_of_page[::-1] and end is None
    assert all(isinstance(line, Audit) and line.count == 1 for line in page)
