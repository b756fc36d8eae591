"""An engine that was lost is got back."""

from __future__ import annotations

import shutil
import time
import uuid

import pytest

from broker.app import make_app
from broker.settings import EMBEDDED_MODEL
from db import jobs
from db.finding import find_job
from db.rubric import default_rubric
from db.work import NewJob
from db.worker import live_workers
from tests.tenants import new_tenant
from worker.child import Child
from worker.engine.export import ONNX, exported, folder_of
from worker.engine.fake import FakeEngine
from worker.engine.source import find_source
from worker.head import load_surface
from worker.marking import Marker
from worker.mending import Mender
from worker.settings import WorkerSettings

TEXT = "Schools should allow phones in the breaks, because students need to reach their parents. " * 5


def marker(engine=None):
    return Marker(engine, None, load_surface(), "cpu-1@test", "" if engine else "no engine")


def mender(loads):
    """A mender whose tries come out as listed, and what is in use."""
    use = [marker()]

    def load():
        made = loads.pop(0)
        if isinstance(made, Exception):
            raise made
        return made

    return Mender(load, lambda: use[-1], use.append, 0.05), use


def test_nothing_is_loaded_while_the_engine_works():
    tries, use = mender([])
    use.append(marker(FakeEngine()))
    assert tries.look() and len(use) == 2


def test_an_engine_that_still_fails_leaves_the_surface_head_in_place():
    tries, use = mender([OSError("disk"), marker()])
    assert not tries.look() and not tries.look()
    assert len(use) == 1 and use[0].broken


def test_an_engine_that_loads_again_takes_its_place():
    back = marker(FakeEngine())
    tries, use = mender([marker(), OSError("disk"), back])
    tries.start()
    deadline = time.monotonic() + 20
    while use[-1] is not back and time.monotonic() < deadline:
        time.sleep(0.02)
    tries.stop()
    assert use[-1] is back and not use[-1].broken


@pytest.fixture
def settings(servers, tmp_path):
    """A worker whose exported model is rubbish."""
    made = WorkerSettings(
        database_url=servers.database_url, redis_url=servers.redis_url, home=tmp_path, engine="onnx",
        engine_retry_s=0.2, beat_s=0.2,
    )  # fmt: skip
    folder = tmp_path / "models" / exported_name(made)
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"rubbish")
    return made


def exported_name(settings):
    return folder_of(find_source(settings), settings.home, ONNX).name


@pytest.fixture
def child(settings):
    app = make_app(settings)
    made = Child(settings, app, f"cpu-{uuid.uuid4().hex}@test")
    yield made
    made.stop()
    made.grading.database.close()
    app.close()


def grade(child, database, **fields):
    with database.session() as session:
        owner = new_tenant(session)
        new = NewJob(text=TEXT, model="m", device="any", priority="bulk", queue="mend.any.bulk", **fields)
        job = jobs.submit(session, owner, default_rubric(session), new).id
    child.grade([job], "bulk").result()
    with database.session() as session:
        return find_job(session, owner, job)


def engine_of(child, database):
    with database.session() as session:
        return next(w.engine for w in live_workers(session, 60) if w.name == child.name)


def test_a_broken_model_file_means_degraded_results_until_it_is_mended(child, settings, database, model_home):
    degraded = grade(child, database)
    assert degraded.job.state == "succeeded" and degraded.result.degraded
    assert degraded.result.scored_by["engine"] == "surface" and "degraded" in degraded.result.review_reasons
    refused = grade(child, database, allow_degraded=False)
    assert (refused.job.state, refused.job.error["code"]) == ("failed", "model_unavailable")
    assert engine_of(child, database) == "surface"

    source = find_source(settings)
    shutil.copytree(
        exported(source, model_home, ONNX), settings.home / "models" / exported_name(settings), dirs_exist_ok=True
    )
    deadline = time.monotonic() + 60
    while engine_of(child, database) == "surface" and time.monotonic() < deadline:
        time.sleep(0.1)
    whole = grade(child, database, allow_degraded=False)
    assert whole.job.state == "succeeded" and not whole.result.degraded
    assert (whole.result.scored_by["engine"], whole.result.scored_by["model"]) == ("onnx-int8", EMBEDDED_MODEL)
