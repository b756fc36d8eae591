"""What a caller meets while the database or the broker is away, and that all goes on when they are back."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest
from flask import Flask

from api.app import create_app
from api.settings import ApiSettings
from broker.app import make_app
from broker.dispatch import Dispatch
from broker.sweep import sweep
from db.job import Job
from db.migrate import migrate
from db.session import Database
from db.settings import DatabaseSettings
from db.tenant import SCOPES, Caller, create_key, default_tenant
from gradeline.stack import postgres
from gradeline.stack.home import Home, free_port
from tests.unit.api.conftest import Api

NOBODY = uuid.uuid4()
BODIES = {
    "/v1/webhooks/endpoint": {"url": "http://lms.example/"},
    "/v1/jobs": {"text": "a"},
    "/v1/jobs/retry": {},
    "/v1/batches": {"items": [{"text": "a"}]},
    "/v1/rubrics": {"name": "own", "criteria": [{"name": "Structure", "min": 0, "max": 6}]},
    "/v1/jobs/<job_id>/review": {"scores": {"Structure": 1}},
    "/v1/jobs/<job_id>/appeal": {"reason": "a"},
    "/v1/reviews/lease/<job_id>/renew": {"lease": str(NOBODY)},
    "/v1/reviews/lease/<job_id>/release": {"lease": str(NOBODY)},
    "/v1/rubrics/<rubric>/calibrations": {"cohort": [{"text": "a"}] * 20},
}
CSV = "Rubric Name,Criteria Name,Criteria Description,Criteria Enable Range,Rating Name,Rating Description,Rating Points\n"
CSV += "Own,Structure,,false,Good,,4,Poor,,0\n"
# The old service's routes have a form of their own: tests/unit/api/test_legacy.py.
WITHOUT_DATABASE = {"/healthz", "/readyz", "/openapi.json", "/health", "/rubric-info", "/llm/rubric-score", "/metrics"}


@dataclass
class OwnServer:
    """A PostgreSQL that a test may kill."""

    home: Home
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return postgres.url(self.home, self.port)

    def start(self) -> None:
        with (self.home.logs / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                postgres.command(self.home, self.port), stdout=log, stderr=log, cwd="/", start_new_session=True
            )

    def wait(self) -> None:
        deadline = time.monotonic() + 120
        while True:
            try:
                return postgres.make_database(self.home, self.port)
            except psycopg.OperationalError:
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def stop(self, number: int) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    home = Home(Path(tmp_path_factory.mktemp("away")).resolve())
    home.prepare()
    postgres.make_cluster(home)
    made = OwnServer(home, free_port())
    made.start()
    made.wait()
    database = Database(DatabaseSettings(database_url=made.url))
    migrate(database)
    database.close()
    yield made
    made.stop(signal.SIGQUIT)


@pytest.fixture
def own(server, servers) -> Iterator[tuple[Flask, Api]]:
    """An API on the server of one's own, and a caller with a key."""
    if server.process.poll() is not None:
        server.start()
    server.wait()
    app = create_app(ApiSettings(database_url=server.url, redis_url=servers.redis_url))
    services = app.extensions["gradeline"]
    with services.database.session() as session:
        key = create_key(session, default_tenant(session).id, "test", SCOPES)
    yield app, Api(app.test_client(), key)
    services.dispatcher.stop()
    services.celery.close()
    services.database.close()


class Known:
    """Knows every key, so that requests come as far as what they ask for."""

    def caller(self, token: str) -> Caller:
        return Caller(NOBODY, uuid.uuid4(), frozenset(SCOPES))


def routes(app):
    for rule in app.url_map.iter_rules():
        if rule.rule not in WITHOUT_DATABASE and not rule.rule.startswith("/docs"):
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield method, rule.rule


def address(rule):
    for name in ("job_id", "batch_id", "calibration_id", "delivery_id"):
        rule = rule.replace(f"<{name}>", str(uuid.uuid4()))
    return rule.replace("<rubric>", "default")


def ask(api, method, rule):
    if rule == "/v1/rubrics/import":
        return api(method, rule, data=CSV, content_type="text/csv")
    body = {"json": BODIES.get(rule, {})} if method in ("POST", "PUT") else {}
    return api(method, address(rule), **body)


def test_without_a_database_every_route_is_a_problem_that_says_when_to_return(servers):
    nowhere = f"postgresql://x:y@127.0.0.1:{free_port()}/z"
    app = create_app(ApiSettings(database_url=nowhere, redis_url=servers.redis_url))
    services = app.extensions["gradeline"]
    app.extensions["gradeline"] = replace(services, keys=Known())
    asked = list(routes(app))
    assert len(asked) > 25
    for method, rule in asked:
        answer = ask(Api(app.test_client(), "any"), method, rule)
        assert (answer.status_code, answer.json["code"]) == (503, "unavailable"), (method, rule, answer.text)
        assert answer.content_type == "application/problem+json"
        assert int(answer.headers["Retry-After"]) > 0
    assert app.test_client().get("/healthz").status_code == 200
    services.dispatcher.stop()
    services.celery.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_the_api_goes_on_when_the_database_is_back(own, server, number):
    _, api = own
    before = api("POST", "/v1/jobs", json={"text": "before"}).json["id"]
    server.stop(number)
    for method, path in (("POST", "/v1/jobs"), ("GET", f"/v1/jobs/{before}"), ("GET", "/v1/queues")):
        answer = api(method, path, **({"json": {"text": "a"}} if method == "POST" else {}))
        assert (answer.status_code, answer.json["code"]) == (503, "unavailable"), answer.text
        assert int(answer.headers["Retry-After"]) > 0
    assert api("GET", "/readyz").json["database"] is False
    server.start()
    deadline, once = time.monotonic() + 120, {"Idempotency-Key": uuid.uuid4().hex}
    while (answer := api("POST", "/v1/jobs", json={"text": "after"}, headers=once)).status_code == 503:
        assert time.monotonic() < deadline  # it starts up, or recovers
        time.sleep(0.1)
    assert answer.status_code == 202
    assert {api("GET", f"/v1/jobs/{job}").status_code for job in (before, answer.json["id"])} == {200}


def test_whoever_waits_for_a_job_is_answered_although_the_database_goes(own, server):
    app, api = own
    answers, body = [], {"text": "a", "external_id": "waits"}
    waiting = threading.Thread(
        target=lambda: answers.append(api("POST", "/v1/jobs", json=body, headers={"Prefer": "wait=5"}))
    )
    waiting.start()
    deadline = time.monotonic() + 60
    while not Api(app.test_client(), api.key)("GET", "/v1/jobs?external_id=waits").json["items"]:
        assert time.monotonic() < deadline
    server.stop(signal.SIGQUIT)  # after the commit, or the job would not be listed
    waiting.join(timeout=120)
    assert (answers[0].status_code, answers[0].json["state"]) == (202, "queued")


def test_without_a_broker_work_is_taken_and_flows_when_it_is_back(servers, database, make_key):
    away = f"redis://127.0.0.1:{free_port()}/0"
    # A model, and with it queues, of its own: nobody grades what other tests leave in theirs.
    app = create_app(ApiSettings(database_url=servers.database_url, redis_url=away, model=uuid.uuid4().hex))
    services = app.extensions["gradeline"]
    api = Api(app.test_client(), make_key())
    answer = api("POST", "/v1/jobs", json={"text": "a"})
    assert answer.status_code == 202 and api("GET", "/readyz").status_code == 503
    services.dispatcher.stop()

    def in_broker():
        with database.session() as session:
            return session.get_one(Job, uuid.UUID(answer.json["id"])).dispatched_at is not None

    assert not in_broker()
    back = services.settings.model_copy(update={"redis_url": servers.redis_url})
    celery = make_app(back)
    deadline = time.monotonic() + 60
    while not in_broker():
        assert time.monotonic() < deadline
        sweep(Dispatch(database, celery, back))
    celery.close()
    services.celery.close()
    services.database.close()
