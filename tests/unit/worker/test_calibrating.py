"""The story of a calibration on a real database; the engine is the fake one, the heads are real."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from broker.settings import EMBEDDED_MODEL
from db import activation, batches, calibrations, jobs
from db.bulk import Manner, NewRow
from db.calibration import Calibration
from db.calibrations import NewExample
from db.embeddings import read_vectors
from db.erasing import erase
from db.finding import find_job
from db.job import Job
from db.rubric import Rubric, add_version, default_criteria
from db.work import NewJob
from tests.tenants import new_tenant
from tests.unit.worker.test_grading import Counting, Moody
from worker.calibrating import Calibrating
from worker.engine.fake import FakeEngine
from worker.engine.source import EMBEDDED_REVISION
from worker.grading import Grading
from worker.head import load_default, load_surface
from worker.head.standing import load_standing
from worker.marking import Marker
from worker.settings import WorkerSettings
from worker.taught_heads import TaughtHeads

CRITERIA = [{"name": "Wit", "measures": None, "min": 0.0, "max": 6.0, "step": 1.0, "weight": 1.0, "levels": []}]
LOST = {"code": "worker_lost"}


@pytest.fixture
def tenant(database):
    with database.session() as session:
        return new_tenant(session)


@pytest.fixture
def rubric(database, tenant):
    with database.session() as session:
        return add_version(session, tenant, "essay", None, CRITERIA)


def marker_of(database, engine):
    known = EMBEDDED_MODEL, EMBEDDED_REVISION
    taught = TaughtHeads(database, 2**20)
    return Marker(engine, load_default(*known), load_surface(), "w", "", load_standing(*known), taught)


def worker(database, engine=None, **settings):
    known = WorkerSettings(database_url=database.settings.database_url, **settings)
    return Calibrating(database, marker_of(database, engine or FakeEngine()), known, "w")


def begin(database, tenant, rubric, texts):
    examples = [NewExample(text, {"Wit": float(n % 7)}) for n, text in enumerate(texts)]
    with database.session() as session:
        return calibrations.begin(session, tenant, rubric, "fake", "fake.any.bulk", examples).id


def read(database, calibration_id) -> Calibration:
    with database.session() as session:
        return session.get_one(Calibration, calibration_id)


TEXTS = [f"This is essay {n}. It says {n * 7} things, and says them well." for n in range(14)]


def test_a_calibration_is_made_and_scores_its_criterion(database, tenant, rubric):
    made = begin(database, tenant, rubric, TEXTS)
    assert worker(database).step(made) is False
    found = read(database, made)
    assert (found.state, found.embedded, found.card["agreement"]["Wit"]["n"]) == ("succeeded", 14, 14)
    with database.session() as session:
        activation.activate(session, session.get_one(Calibration, made))
        new = NewJob(text=TEXTS[3], model="m", device="any", priority="bulk", queue="q")
        job = jobs.submit(session, tenant, session.get_one(Rubric, rubric.id), new).id
    settings = WorkerSettings(database_url=database.settings.database_url)
    assert Grading(database, marker_of(database, FakeEngine()), settings, "w").chunk([job]).result() == 1


def test_a_calibration_has_a_report_of_its_held_out_scores_with_second_rater_and_groups(database, tenant, rubric):
    examples = [
        NewExample(text, {"Wit": n % 7.0}, scores_2={"Wit": min(6.0, n % 7 + n % 2)}, groups={"form": "ab"[n % 2]})
        for n, text in enumerate(TEXTS)
    ]
    with database.session() as session:
        made = calibrations.begin(session, tenant, rubric, "fake", "fake.any.bulk", examples).id
    worker(database).step(made)
    with database.session() as session:
        found = session.get_one(Calibration, made)
        wit, agreement = found.report["criteria"]["Wit"], found.card["agreement"]["Wit"]
    assert (wit["n"], wit["human_human"]["N"], len(wit["points"])) == (14, 14, 14)
    assert wit["raw_trim_round"]["wtkappa"] == pytest.approx(agreement["qwk"], abs=1e-3)
    assert wit["raw_trim"]["RMSE"] == pytest.approx(agreement["rmse"], abs=1e-3)
    assert {g: each["n"] for g, each in wit["subgroups"]["form"]["groups"].items()} == {"a": 7, "b": 7}
    assert [each["examples"] for each in wit["learning_curve"]] == [10, 13]


def test_a_taught_head_weighs_criteria_as_the_rubric_does(database, tenant):
    names = ("Wit", "Depth", "Form")
    said = zip(names, ({"weight": 0.0}, {"weight": None}, {"weight": 2.0}), strict=True)
    with database.session() as session:
        rubric = add_version(session, tenant, "weighed", None, [{**CRITERIA[0], "name": n, **w} for n, w in said])
        examples = [NewExample(text, dict.fromkeys(names, float(n % 7))) for n, text in enumerate(TEXTS)]
        made = calibrations.begin(session, tenant, rubric, "fake", "fake.any.bulk", examples).id
    worker(database).step(made)
    assert read(database, made).card["importance"] == [0.0, 1.0, 2.0]


def test_a_calibration_by_a_cohort_alone_has_no_report(database, tenant, rubric):
    with database.session() as session:
        known = session.get_one(Rubric, rubric.id)
        cohort = [NewExample(f"{text} {k}") for k in range(2) for text in TEXTS]
        made = calibrations.begin(session, tenant, known, "fake", "fake.any.bulk", cohort).id
    worker(database).step(made)
    with database.session() as session:
        found = session.get_one(Calibration, made)
        assert (found.state, found.report) == ("succeeded", None)


def test_heads_are_kept_in_the_memory_that_they_may_take(database, tenant, rubric):
    made = []
    for n in range(3):
        made.append(begin(database, tenant, rubric, [f"{text} {n}" for text in TEXTS]))
        worker(database).step(made[-1])
    alone = TaughtHeads(database, 0)
    one = alone(made[0]).numbers.size
    assert one > 14 * 1207 * 4, "nearly all of it are the examples, in single precision"
    assert alone(made[0]) is alone(made[0]) and alone.size == one, "the last one stays in any case"
    kept = TaughtHeads(database, 2 * one)
    first, second = kept(made[0]), kept(made[1])
    assert kept(made[0]) is first and kept(made[2]) is not None and kept.size == 2 * one
    assert kept(made[0]) is first and kept(made[1]) is not second, "the one that was not used for longest had to go"


def test_a_message_that_comes_twice_finds_nothing_to_do(database, tenant, rubric):
    made = begin(database, tenant, rubric, TEXTS)
    worker(database).step(made)
    before = read(database, made)
    assert worker(database).step(made) is False
    assert read(database, made).finished_at == before.finished_at


def test_a_long_calibration_pauses_and_goes_on_where_it_was(database, tenant, rubric, monkeypatch):
    monkeypatch.setattr("worker.calibrating.STEP_S", 0.0)  # no time at all: a slice a step
    made = begin(database, tenant, rubric, [f"{text} {k}" for k in range(3) for text in TEXTS])
    slow, steps = worker(database), 1
    while slow.step(made):
        steps += 1
        assert read(database, made).state == "queued"
    assert (read(database, made).state, steps) == ("succeeded", 3)


def test_a_calibration_of_a_lost_worker_comes_back_and_fails_when_that_goes_on(database, tenant, rubric):
    made = begin(database, tenant, rubric, TEXTS)
    for state in ("queued", "failed"):
        with database.session() as session:
            assert calibrations.claim(session, made, "gone", -1.0) is not None
        with database.session() as session:
            calibrations.take_back(session, LOST, max_attempts=2)
        assert read(database, made).state == state
    assert read(database, made).error == LOST


def test_an_engine_that_fails_fails_the_calibration_with_the_reason(database, tenant, rubric):
    made = begin(database, tenant, rubric, [*TEXTS, "poison"])
    assert worker(database, Moody()).step(made) is False
    found = read(database, made)
    assert (found.state, found.error["detail"]) == ("failed", "the model could not compute")


def test_without_an_engine_a_calibration_fails_and_says_what_is_missing(database, tenant, rubric):
    made = begin(database, tenant, rubric, TEXTS)
    settings = WorkerSettings(database_url=database.settings.database_url)
    marker = Marker(None, None, load_surface(), "w", "the default model is not installed")
    Calibrating(database, marker, settings, "w").step(made)
    assert read(database, made).error["detail"] == "the default model is not installed"


def test_an_erased_submission_teaches_nothing_and_keeps_no_vector(database, tenant, rubric):
    with database.session() as session:
        new = NewJob(text="To be erased.", model="m", device="any", priority="bulk", queue="q")
        job = jobs.submit(session, tenant, session.get_one(Rubric, rubric.id), new)
        submission = job.submission_id
        examples = [NewExample(text, {"Wit": float(n % 7)}) for n, text in enumerate(TEXTS)]
        examples.append(NewExample(submission_id=submission))
        made = calibrations.begin(session, tenant, rubric, "fake", "fake.any.bulk", examples).id
        erase(session, tenant, job.id)
    worker(database).step(made)
    assert read(database, made).card["baseline"]["submissions"] == 14
    with database.session() as session:
        assert read_vectors(session, [submission], "fake", "0") == {}


@pytest.mark.parametrize(("engine", "state"), [(FakeEngine, "used"), (Moody, "failed")])
def test_a_batchs_jobs_go_as_soon_as_its_baseline_is_made_or_has_failed(database, tenant, engine, state):
    rows = [NewRow(text) for text in [*TEXTS, *(f"{text} Again." for text in TEXTS), "poison"]]
    with database.session() as session:
        rubric = add_version(session, tenant, "own", None, default_criteria())
        batch = batches.submit(session, tenant, rubric, Manner("fake", "q"), rows, {}, "auto", "q").batch
    worker(database, engine()).step(batch.calibration_id)
    with database.session() as session:
        shown = batches.find_batch(session, tenant, batch.id)
        ids = list(session.scalars(select(Job.id).where(Job.batch_id == batch.id, ~Job.held)))
    assert (shown.batch.baseline_state, len(ids)) == (state, len(rows))
    if state == "used":
        settings = WorkerSettings(database_url=database.settings.database_url)
        reading = Counting()
        Grading(database, marker_of(database, reading), settings, "w").chunk(ids).result()
        assert reading.read == 0  # the calibration's vectors are the jobs'
        with database.session() as session:
            by = {find_job(session, tenant, job).result.scored_by["calibration"] for job in ids}
        assert by == {str(batch.calibration_id)}
