"""The story of a chunk on a real database, with an engine that is told how to behave."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from sqlalchemy import select, update

from broker.settings import EMBEDDED_MODEL
from db import batches, jobs
from db.erasing import erase
from db.errors import DatabaseAway
from db.finding import find_job
from db.job import Attempt, Job
from db.rubric import Rubric, add_version, default_rubric
from db.submission import Embedding
from db.work import NewJob
from tests.tenants import new_tenant
from tests.waiting import until
from worker.engine.base import Encoded, Rest
from worker.engine.fake import STARVED, FakeEngine
from worker.engine.source import EMBEDDED_REVISION
from worker.errors import EngineFailed
from worker.grading import Grading
from worker.head import load_default, load_surface
from worker.marking import BROKEN_AFTER, Marker
from worker.settings import WorkerSettings

TEXT = "Schools should allow phones in the breaks, because students need to reach their parents. " * 5


class Moody(FakeEngine):
    """Fails on texts with a certain word, as a real engine may on a text that is too much for it."""

    def begin(self, texts: Sequence[str]) -> Rest:
        if any("poison" in text for text in texts):
            raise EngineFailed("the model could not compute")
        return super().begin(texts)


@pytest.fixture
def tenant(database):
    with database.session() as session:
        return new_tenant(session)


def grading(database, servers, engine=None, head=True, why="") -> Grading:
    loaded = load_default(EMBEDDED_MODEL, EMBEDDED_REVISION) if head else None
    marker = Marker(engine, loaded if engine else None, load_surface(), "cpu-1@test", why)
    return Grading(database, marker, WorkerSettings(database_url=servers.database_url), "cpu-1@test")


def submit(database, tenant, text=TEXT, rubric=None, **fields):
    with database.session() as session:
        new = NewJob(text=text, model="m", device="any", priority="bulk", queue="t.any.bulk", **fields)
        return jobs.submit(session, tenant, rubric or default_rubric(session), new).id


def found(database, tenant, job):
    with database.session() as session:
        return find_job(session, tenant, job)


def test_a_chunk_is_claimed_scored_and_written(database, servers, tenant):
    ids = [submit(database, tenant, f"{TEXT} {n}", prompt="Phones?") for n in range(3)]
    work = grading(database, servers, FakeEngine())
    assert work.chunk(ids).result() == 3
    view = found(database, tenant, ids[0])
    assert view.job.state == "succeeded" and view.attempt.batch_size == 3 and view.attempt.engine == "fake"
    assert len(view.result.scores) == 4 and not view.result.degraded
    with database.session() as session:
        kept = session.get_one(Embedding, (view.job.submission_id, "fake", "0"))
        assert np.frombuffer(kept.vector, "<f2").shape == (1152,)


def test_the_same_message_again_grades_nothing(database, servers, tenant):
    ids = [submit(database, tenant)]
    work = grading(database, servers, FakeEngine())
    assert (work.chunk(ids).result(), work.chunk(ids).result()) == (1, 0)
    assert found(database, tenant, ids[0]).job.attempt == 1


def test_one_bad_text_spoils_no_other(database, servers, tenant):
    ids = [submit(database, tenant, t) for t in (TEXT, f"poison {TEXT}", TEXT)]
    strict = submit(database, tenant, f"poison {TEXT}", allow_degraded=False)
    grading(database, servers, Moody()).chunk([*ids, strict]).result()
    views = [found(database, tenant, job) for job in ids]
    assert [v.job.state for v in views] == ["succeeded"] * 3
    assert [v.result.degraded for v in views] == [False, True, False]
    assert views[1].result.scored_by["head"] == "surface@2" and "degraded" in views[1].result.review_reasons
    refused = found(database, tenant, strict)
    assert (refused.job.state, refused.job.error["code"]) == ("failed", "unscorable")


def test_without_an_engine_results_are_degraded_or_refused(database, servers, tenant):
    allowed, strict = submit(database, tenant), submit(database, tenant, allow_degraded=False)
    grading(database, servers, why="the model is not installed").chunk([allowed, strict]).result()
    assert found(database, tenant, allowed).result.degraded
    error = found(database, tenant, strict).job.error
    assert (error["code"], error["detail"]) == ("model_unavailable", "the model is not installed")


def test_a_model_without_a_head_never_invents_numbers(database, servers, tenant):
    job = submit(database, tenant)
    grading(database, servers, FakeEngine(), head=False, why="no head has been fitted").chunk([job]).result()
    view = found(database, tenant, job)
    assert (view.job.state, view.job.error["code"], view.result) == ("failed", "model_unavailable", None)


def test_a_rubric_that_nobody_measures_fails_alone(database, servers, tenant):
    with database.session() as session:
        odd = Rubric(tenant_id=tenant, name="odd", version=1, criteria=[{"name": "Humour", "min": 0, "max": 5}])
        session.add(odd)
    jobs_ = [submit(database, tenant, rubric=odd), submit(database, tenant)]
    grading(database, servers, FakeEngine()).chunk(jobs_).result()
    assert [found(database, tenant, job).job.state for job in jobs_] == ["failed", "succeeded"]
    assert "Humour" in found(database, tenant, jobs_[0]).job.error["detail"]


class Lagging(FakeEngine):
    """Has taken all texts, and computes the last of them until it is let go; or fails then."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.goes_on, self.error = threading.Event(), error

    def begin(self, texts: Sequence[str]) -> Rest:
        def rest() -> Encoded:
            assert self.goes_on.wait(20)
            if self.error is not None:
                raise self.error
            return ending()

        ending = super().begin(texts)
        return rest


def test_the_next_chunk_is_claimed_and_begins_while_the_engine_computes_the_last_texts(database, servers, tenant):
    first, second = submit(database, tenant), submit(database, tenant, f"{TEXT} second")
    engine = Lagging()
    work = grading(database, servers, engine)
    kept = work.chunk([first])
    assert not kept.done() and [job.id for job in work.holding.jobs] == [first]
    with ThreadPoolExecutor(1) as thread:
        then = thread.submit(work.chunk, [second])
        until(lambda: [job.id for job in work.holding.jobs] == [first, second], seconds=20)
        assert not then.done(), "a third must not be claimed"
        assert found(database, tenant, second).job.state == "running"
        engine.goes_on.set()
        assert (kept.result(20), then.result(20).result(20)) == (1, 1)
    assert work.holding.jobs == []
    assert {found(database, tenant, job).job.state for job in (first, second)} == {"succeeded"}


def test_jobs_that_were_lost_before_share_the_process_with_no_others(database, servers, tenant):
    first, lost, last = (submit(database, tenant, f"{TEXT} {n}") for n in range(3))
    with database.session() as session:
        session.execute(update(Job).where(Job.id == lost).values(losses=2))
    engine = Lagging()
    work = grading(database, servers, engine)
    kept = work.chunk([first])
    with ThreadPoolExecutor(1) as thread:
        then = thread.submit(work.chunk, [lost], losses=2)
        time.sleep(0.5)
        assert found(database, tenant, lost).job.state == "queued", "it would take the first with it"
        engine.goes_on.set()
        assert kept.result(20) == 1
        assert then.result(20).done() and then.result().result() == 1, "the next would take it with it"
    assert work.chunk([last]).result(20) == 1


@pytest.mark.parametrize(("error", "state"), [(EngineFailed("no"), "succeeded"), (KeyError("text"), "queued")])
def test_texts_that_fail_at_the_end_are_read_one_by_one_or_handed_back(database, servers, tenant, error, state):
    ids = [submit(database, tenant, f"{TEXT} {n}") for n in range(2)]
    engine = Lagging(error)
    engine.goes_on.set()
    work = grading(database, servers, engine)
    kept = work.chunk(ids)
    assert isinstance(kept.exception(20), KeyError) if state == "queued" else kept.result(20) == 2
    for job in ids:
        view = found(database, tenant, job)
        assert view.job.state == state and (state == "queued" or view.result.degraded)
    assert work.holding.jobs == []


def test_the_pace_is_that_of_the_computing_not_of_the_handing_in(database, servers, tenant):
    engine = Lagging()
    work = grading(database, servers, engine)
    kept = work.chunk([submit(database, tenant)], "q.any.bulk")
    threading.Timer(0.3, engine.goes_on.set).start()
    assert kept.result(20) == 1
    assert work.pace.job_ms["q.any.bulk"] >= 300


def test_the_time_of_the_chunk_before_does_not_count_to_a_chunk_that_waits_for_it(database, servers, tenant):
    first, second = submit(database, tenant), submit(database, tenant, f"{TEXT} second")
    engine = Lagging()
    work = grading(database, servers, engine)
    work.chunk([first], "q.any.bulk")
    began = time.perf_counter()
    threading.Timer(0.3, engine.goes_on.set).start()
    assert work.chunk([second], "q.any.interactive").result(20) == 1
    whole_ms = (time.perf_counter() - began) * 1000
    assert work.pace.job_ms["q.any.bulk"] >= 300
    assert work.pace.job_ms["q.any.interactive"] <= whole_ms - 300


def test_a_chunk_that_is_interrupted_is_handed_back(database, servers, tenant):
    class Interrupted(FakeEngine):
        def begin(self, texts):
            raise KeyboardInterrupt

    job = submit(database, tenant)
    with pytest.raises(KeyboardInterrupt):
        grading(database, servers, Interrupted()).chunk([job]).result()
    view = found(database, tenant, job)
    assert (view.job.state, view.job.losses, view.attempt.outcome) == ("queued", 0, "handed_back")


def test_a_chunk_that_takes_too_long_is_handed_back_and_counts_against_its_jobs(database, servers, tenant):
    class Slow(FakeEngine):
        def begin(self, texts):
            raise SoftTimeLimitExceeded

    job = submit(database, tenant)
    work = grading(database, servers, Slow())
    for _ in range(3):
        with pytest.raises(SoftTimeLimitExceeded):
            work.chunk([job])
        with database.session() as session:
            session.execute(update(Job).where(Job.id == job).values(retry_at=None))
    view = found(database, tenant, job)
    assert (view.job.state, view.job.losses, view.job.error["code"]) == ("failed", 3, "timed_out")


def test_a_chunk_whose_time_ends_while_the_one_before_waits_to_be_written_counts_against_nobody(
    database, servers, tenant, monkeypatch
):
    job = submit(database, tenant)
    out_of_time = grading(database, servers, FakeEngine())

    def too_long(_futures):
        raise SoftTimeLimitExceeded

    monkeypatch.setattr("worker.grading.wait", too_long)
    with pytest.raises(DatabaseAway):
        out_of_time.chunk([job], "t.any.bulk")
    with database.session() as session:
        found = session.get(Job, job)
        assert (found.state, found.losses) == ("queued", 0)
        (attempt,) = session.scalars(select(Attempt).where(Attempt.job_id == job))
        assert attempt.outcome == "handed_back" and attempt.error["code"] == "not_kept"
    assert out_of_time.holding.jobs == []


def test_a_text_that_the_memory_does_not_suffice_for_spoils_no_other(database, servers, tenant):
    ids = [submit(database, tenant, text, allow_degraded=False) for text in (TEXT, f"{TEXT} {STARVED}", f"{TEXT}!")]
    grading(database, servers, FakeEngine(faults=True)).chunk(ids).result()
    views = [found(database, tenant, job) for job in ids]
    assert [v.job.state for v in views] == ["succeeded", "failed", "succeeded"]
    assert views[1].job.error["code"] == "out_of_memory"


class Counting(FakeEngine):
    """Counts the texts that it reads."""

    read = 0

    def begin(self, texts: Sequence[str]) -> Rest:
        self.read += len(texts)
        return super().begin(texts)


def test_the_same_text_under_the_same_rubric_is_answered_from_the_first_result(database, servers, tenant):
    engine = Counting()
    work = grading(database, servers, engine)
    first, again = submit(database, tenant, prompt="Phones?"), submit(database, tenant, prompt="Phones?")
    work.chunk([first]).result()
    work.chunk([again]).result()
    one, two = found(database, tenant, first), found(database, tenant, again)
    assert (one.result.cached, two.result.cached) == (False, True)
    assert (two.result.scores, two.result.overall) == (one.result.scores, one.result.overall)
    assert engine.read == 2  # the text and its prompt, once
    assert two.attempt.tokenize_ms == 0 and two.attempt.inference_ms == 0


@pytest.mark.parametrize("other", ["tenant", "prompt", "explain", "text", "setting"])
def test_a_result_is_not_used_again_for_anything_else(database, servers, tenant, other):
    work = grading(database, servers, FakeEngine())
    work.chunk([submit(database, tenant, prompt="Phones?")]).result()
    if other == "tenant":
        with database.session() as session:
            tenant = new_tenant(session)
    if other == "setting":
        work.settings = work.settings.model_copy(update={"reuse": False})
    prompt, explain = "Homework?" if other == "prompt" else "Phones?", other == "explain"
    job = submit(database, tenant, TEXT + "!" if other == "text" else TEXT, prompt=prompt, explain=explain)
    work.chunk([job]).result()
    assert not found(database, tenant, job).result.cached


def test_an_erased_job_gives_nothing_to_others(database, servers, tenant):
    work = grading(database, servers, FakeEngine())
    first, again = submit(database, tenant), submit(database, tenant)
    work.chunk([first]).result()
    with database.session() as session:
        erase(session, tenant, first)
    work.chunk([again]).result()
    assert not found(database, tenant, again).result.cached


def test_a_regrade_reads_no_text_and_gives_the_same_scores(database, servers, tenant):
    engine = Counting()
    work = grading(database, servers, engine)
    with database.session() as session:
        rubric = add_version(session, tenant, "essay", "Phones?", default_rubric(session).criteria)
        session.flush()
    first = submit(database, tenant, "Too short.", rubric=rubric)
    work.chunk([first]).result()
    read = engine.read
    with database.session() as session:
        batch = batches.regrade(session, tenant, rubric, "fake", "t.any.regrade", "t.any.bulk").batch
        again = session.scalars(select(Job.id).where(Job.batch_id == batch.id)).one()
    assert batch.total == 1
    work.chunk([again]).result()
    one, two = found(database, tenant, first), found(database, tenant, again)
    assert engine.read == read
    assert two.result.scores == one.result.scores and not two.result.cached
    assert two.result.advisories == one.result.advisories and two.result.advisories[0]["code"] == "too_short"


def test_an_explained_job_says_which_sentences_counted(database, servers, tenant):
    text = "Phones distract. They help too! " + TEXT
    job = submit(database, tenant, text, explain=True, prompt="Phones?")
    grading(database, servers, FakeEngine()).chunk([job]).result()
    for score in found(database, tenant, job).result.scores:
        assert 1 <= len(score["reasons"]) <= 6
        for reason in score["reasons"]:
            assert text[reason["start"] : reason["end"]] == reason["text"] and reason["effect"] != 0
        strengths = [abs(reason["effect"]) for reason in score["reasons"]]
        assert strengths == sorted(strengths, reverse=True)


def test_an_engine_that_reads_nothing_any_more_counts_as_broken(database, servers, tenant):
    work = grading(database, servers, Moody())
    for _ in range(BROKEN_AFTER):
        assert not work.marker.broken
        work.chunk([submit(database, tenant, f"poison {TEXT}")]).result()
    assert work.marker.broken
    work.chunk([submit(database, tenant)]).result()
    assert not work.marker.broken
