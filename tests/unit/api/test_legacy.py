"""Clients of the service before this one go on working, with its bodies and strings, and real scores."""

from __future__ import annotations

import threading
import uuid

import pytest
from sqlalchemy import text

from api.settings import ApiSettings
from db import jobs
from db.job import Job
from db.tenant import default_tenant
from db.work import Finished
from db.worker import Worker
from gradeline.stack.home import free_port
from tests.unit.db.test_jobs import LOST, RESULT

LEVELS = {"Structure": "Excellent", "Clarity": "Good", "Relevance": "Fair", "Academic_Writing": "Poor"}
SCORED = {**RESULT, "scores": [
    {"criterion": name, "score": 1.0, "min": 0, "max": 100, "interval": [0, 2], "confidence": 0.9, "level": level,
     "feedback": []} for name, level in LEVELS.items()
]}  # fmt: skip


@pytest.fixture
def serve(make_app):
    return lambda **settings: make_app(**settings).test_client()


def send(http, body, **headers):
    return http.post("/llm/rubric-score", json=body, headers=headers)


def grade(database, content, result=SCORED, error=None):
    """Grades the text as a worker does, as soon as it was handed in."""

    def work():
        for _ in range(6000):
            with database.session() as session:
                found = text("SELECT j.id FROM job j JOIN submission s ON s.id = j.submission_id WHERE s.text = :t")
                ids = list(session.scalars(found, {"t": content}))
                held = jobs.claim(session, ids, "w", 60)
                if held:
                    jobs.finish(session, [Finished(h.id, h.attempt, {}, result, error) for h in held], "m", "r")
                    return
            threading.Event().wait(0.02)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_text_gets_a_level_for_each_criterion_by_the_way_of_every_job(serve, database):
    content = uuid.uuid4().hex
    worker = grade(database, content)
    answer = send(serve(), {"student_submission": content})
    worker.join(timeout=120)
    assert (answer.status_code, answer.json) == (200, LEVELS)
    assert answer.headers["Deprecation"].startswith("@") and 'rel="successor-version"' in answer.headers["Link"]
    with database.session() as session:
        job = session.get_one(Job, uuid.UUID(answer.headers["Location"].rpartition("/")[2]))
        assert job.state == "succeeded" and job.tenant_id == default_tenant(session).id


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (None, "No JSON data provided"),
        ({}, "No JSON data provided"),
        ([], "No JSON data provided"),
        ({"text": "a"}, "Student submission text is required"),
        ({"student_submission": ""}, "Student submission text is required"),
        ({"student_submission": None}, "Student submission text is required"),
        (["a"], "Student submission text is required"),
        ({"student_submission": 17}, "Student submission must be a string"),
        ({"student_submission": ["a"]}, "Student submission must be a string"),
        ({"student_submission": " \n "}, "Student submission cannot be empty"),
        ({"student_submission": "x" * 10_001}, "Student submission is too long (max 10KB)"),
    ],
)
def test_what_is_wrong_is_said_in_the_old_words(serve, body, says):
    answer = send(serve(), body)
    assert (answer.status_code, answer.json) == (400, {"error": says, "status": "error"})
    assert answer.mimetype == "application/json"


@pytest.mark.parametrize(
    ("data", "kind"), [(b"{", "application/json"), (b"\xff", "application/json"), (b'{"student_submission": "a"}', "text/plain")]
)  # fmt: skip
def test_what_is_no_json_is_no_json(serve, data, kind):
    answer = serve().post("/llm/rubric-score", data=data, content_type=kind)
    assert (answer.status_code, answer.json["error"]) == (400, "No JSON data provided")


def test_a_body_without_end_is_too_long_and_a_text_that_is_none_is_named(serve):
    assert send(serve(max_body_bytes=20_000), {"student_submission": "x" * 30_000}).json == {
        "error": "Student submission is too long (max 10KB)", "status": "error",
    }  # fmt: skip
    nul = send(serve(), {"student_submission": "a\0b"})
    assert nul.status_code == 400 and "NUL" in nul.json["error"]


def test_late_is_said_and_no_level_is_invented_and_the_same_text_again_is_the_same_job(serve, database):
    http, content = serve(wait_max_s=0.1), uuid.uuid4().hex
    late = send(http, {"student_submission": content})
    assert (late.status_code, set(late.json), late.json["status"]) == (503, {"error", "status"}, "error")
    assert int(late.headers["Retry-After"]) > 0
    again = send(http, {"student_submission": content})
    assert again.headers["Location"] == late.headers["Location"]
    grade(database, content).join(timeout=120)
    other = send(http, {"student_submission": content})
    assert other.headers["Location"] != late.headers["Location"]


def test_a_text_that_can_not_be_graded_is_an_error_of_the_server(serve, database):
    content = uuid.uuid4().hex
    worker = grade(database, content, None, LOST)
    answer = send(serve(), {"student_submission": content})
    worker.join(timeout=120)
    assert (answer.status_code, answer.json["status"]) == (500, "error")


def test_elsewhere_than_on_loopback_a_key_is_needed_unless_the_operator_says_otherwise(serve, make_key):
    outside, key = serve(host="0.0.0.0", wait_max_s=0), {"Authorization": f"Bearer {make_key()}"}
    body = {"student_submission": uuid.uuid4().hex}
    refused = send(outside, body)
    assert (refused.status_code, refused.json["status"]) == (401, "error") and "WWW-Authenticate" in refused.headers
    assert send(outside, body, **key).status_code == 503
    assert send(outside, body, Authorization=f"Bearer {make_key('read')}").status_code == 403
    assert send(serve(host="0.0.0.0", legacy_open=True, wait_max_s=0), body).status_code == 503
    assert send(serve(legacy_open=False), body).status_code == 401
    proxied = {"X-Forwarded-For": "198.51.100.7"}
    assert send(serve(), body, **proxied).status_code == 401  # a proxy on this machine lets others in


HERE = ("localhost", "localhost:5001", "LOCALHOST:5001", "127.0.0.1:5001", "127.8.8.8", "[::1]", "[::1]:5001")
ELSEWHERE = (
    "evil.example",
    "evil.example:5001",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "[::1",
    "10.0.0.1",
    "",
)


@pytest.mark.parametrize("host", HERE)
def test_without_a_key_programs_and_pages_of_this_machine_are_answered_by_any_of_its_names(serve, host):
    http, body = serve(wait_max_s=0), {"student_submission": uuid.uuid4().hex}
    assert send(http, body, Host=host).status_code == 503  # it was taken, and nobody grades here
    assert send(http, body, Host=host, Origin="http://localhost:3000").status_code == 503


@pytest.mark.parametrize("host", ELSEWHERE)
def test_a_name_that_was_made_to_stand_for_this_machine_opens_nothing_without_a_key(serve, make_key, host):
    http, body = serve(wait_max_s=0), {"student_submission": uuid.uuid4().hex}
    refused = send(http, body, Host=host, Origin=f"http://{host}")
    assert (refused.status_code, refused.json["status"]) == (401, "error") and "WWW-Authenticate" in refused.headers
    assert "localhost or 127.0.0.1" in refused.json["error"] and "Bearer <key>" in refused.json["error"]
    assert send(http, body, Host=host).status_code == 401
    assert send(http, body, Host=host, Authorization=f"Bearer {make_key()}").status_code == 503
    assert send(serve(legacy_open=True, wait_max_s=0), body, Host=host).status_code == 503


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://[::1", "file://"]
)
def test_a_page_of_another_site_opens_nothing_without_a_key(serve, origin):
    body = {"student_submission": uuid.uuid4().hex}
    assert send(serve(), body, Host="localhost:5001", Origin=origin).status_code == 401


def test_without_a_database_it_is_unhealthy_and_says_so_in_the_old_form(serve):
    http = serve(database_url=f"postgresql://x:y@127.0.0.1:{free_port()}/z")
    assert (http.get("/health").status_code, http.get("/health").json["status"]) == (503, "unhealthy")
    assert int(http.get("/health").headers["Retry-After"]) > 0
    answer = send(http, {"student_submission": "a"})
    assert (answer.status_code, set(answer.json), answer.json["status"]) == (503, {"error", "status"}, "error")
    assert int(answer.headers["Retry-After"]) > 0


def test_with_a_key_the_job_is_the_keys_tenants(serve, make_key, database):
    http, key = serve(wait_max_s=0), {"Authorization": f"Bearer {make_key()}"}
    at = send(http, {"student_submission": uuid.uuid4().hex}, **key).headers["Location"]
    assert http.get(at, headers=key).status_code == 200
    assert http.get(at, headers={"Authorization": f"Bearer {make_key()}"}).status_code == 404


def test_it_is_healthy_while_a_worker_is_there(serve, database):
    with database.session() as session:
        session.execute(text("DELETE FROM worker"))
    http = serve()
    assert (http.get("/health").status_code, http.get("/health").json["status"]) == (503, "unhealthy")
    name = uuid.uuid4().hex
    with database.session() as session:
        session.add(
            Worker(
                name=name, pid=1, host="h", queues=[], model="m", revision="r", engine="e", device="cpu", window=1,
                criteria=[], head="h", rss_bytes=1,
            )
        )  # fmt: skip
    answer = http.get("/health")
    with database.session() as session:
        session.execute(text("DELETE FROM worker WHERE name = :name"), {"name": name})
    expected = {"status": "healthy", "service": "LLM Rubric Scoring API", "version": "1.0.0"}
    assert (answer.status_code, answer.json) == (200, expected)


def test_the_levels_are_described(serve):
    body = serve().get("/rubric-info").json
    assert body["status"] == "success" and list(body["rubric_categories"]) == list(LEVELS)
    for name, levels in body["rubric_categories"].items():
        assert levels == ["Excellent", "Good", "Fair", "Poor"] == list(body["rubric_criteria"][name])
        assert len(set(body["rubric_criteria"][name].values())) == 4


def test_the_old_names_of_the_environment_are_understood_and_ours_come_first(monkeypatch):
    for name, value in {"PORT": "5005", "MODEL_NAME": "a/b", "MODEL_TYPE": "ONNX", "LOG_LEVEL": "debug"}.items():
        monkeypatch.setenv(name, value)
    from worker.settings import WorkerSettings

    settings = ApiSettings()
    assert (settings.port, settings.model, settings.log_level) == (5005, "a/b", "DEBUG")
    assert (WorkerSettings().engine, WorkerSettings().offered) == ("onnx", ("a/b",))
    monkeypatch.setenv("GRADELINE_PORT", "5006")
    monkeypatch.setenv("MODEL_TYPE", "gemini")  # words of other programs
    monkeypatch.setenv("LOG_LEVEL", "trace")
    assert (ApiSettings().port, ApiSettings().log_level, WorkerSettings().engine) == (5006, "INFO", "auto")
