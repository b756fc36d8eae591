"""What another tenant could learn besides answers: from statements that take time, cursors, keys, tags, streams and filters."""

from __future__ import annotations

import io
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from db.tenant import SCOPES
from tests.documents import zipped
from tests.unit.api.conftest import Api, end_jobs, send_form
from tests.unit.api.test_matrix import NOBODY, _nobodys, _said, ask, closed_routes, owned  # noqa: F401 - a fixture
from tests.unit.api.test_reviews import result

# Asked for by the clock, whoever asks for what: the key every few seconds, what waits every second.
BY_THE_CLOCK = ("api_key", "SELECT now()", "count(*) FROM (SELECT FROM job WHERE")


@pytest.fixture
def stranger(app, make_key) -> Api:
    return Api(app.test_client(), make_key())


@contextmanager
def statements(app) -> Iterator[list[str]]:
    """The text of every statement that this thread sends meanwhile for what is asked."""
    sent: list[str] = []
    here = threading.get_ident()

    def note(_connection, _cursor, statement, _parameters, _context, _many) -> None:
        # The dispatcher has a thread of its own.
        if threading.get_ident() == here and not any(each in statement for each in BY_THE_CLOCK):
            sent.append(statement)

    engine = app.extensions["gradeline"].database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def seen(app, api, method, path, **options):
    """What is said and what is asked of the database, but the request's id."""
    with statements(app) as sent:
        answer = api(method, path, **options)
    body = {name: value for name, value in (answer.json or {}).items() if name != "request_id"}
    return answer.status_code, body, sent


def test_what_is_anothers_costs_the_same_statements_as_what_is_nobodys(app, owned, stranger):  # noqa: F811
    """A 404 that had looked further would tell by its time that something is there."""
    compared = 0
    for route in closed_routes(app):
        for name in route.names:
            nobodys = {**owned, name: _nobodys(name)}
            with statements(app) as of_theirs:
                theirs = ask(stranger, route, owned)
            with statements(app) as of_nothing:
                nothing = ask(stranger, route, nobodys)
            assert (theirs.status_code, _said(theirs, owned)) == (nothing.status_code, _said(nothing, nobodys)), route
            assert of_theirs == of_nothing and of_theirs, route
            compared += 1
    assert compared >= 25


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_that_may_less_asks_no_more_for_what_is_anothers(app, owned, make_key, scope):  # noqa: F811
    stranger = Api(app.test_client(), make_key(scope))
    for route in closed_routes(app):
        for name in route.names:
            with statements(app) as of_theirs:
                theirs = ask(stranger, route, owned)
            with statements(app) as of_nothing:
                nothing = ask(stranger, route, {**owned, name: _nobodys(name)})
            assert (theirs.status_code, of_theirs) == (nothing.status_code, of_nothing), route


def test_cursors_of_every_list_lead_a_stranger_to_nothing_of_ours(app, api, stranger, database):
    jobs = [
        api("POST", "/v1/jobs", json={"text": uuid.uuid4().hex, "callback_url": "https://lms.example/hook"}).json["id"]
        for _ in range(3)
    ]
    end_jobs(database, jobs, result())
    for _ in range(2):
        api("POST", "/v1/batches", json={"items": [{"text": "a"}]})
    for job in jobs[:2]:
        api("PUT", f"/v1/jobs/{job}/review", json={"scores": {"Structure": 1}})
    api("DELETE", f"/v1/jobs/{jobs[0]}")
    lists = ["/v1/jobs", "/v1/batches", "/v1/audit", "/v1/webhooks/deliveries"]
    cursors = [api("GET", f"{at}?limit=1").json["next"] for at in lists]
    assert all(cursors)
    for at in (*lists, "/v1/reviews/queue"):
        for cursor in cursors:
            answer = stranger("GET", f"{at}?cursor={cursor}")
            assert answer.status_code == 422 or answer.json["items"] == [], at


def test_the_same_idempotency_key_of_two_tenants_is_two_keys(api, stranger):
    one, other = {"text": uuid.uuid4().hex}, {"text": uuid.uuid4().hex}
    for path, bodies in (("/v1/jobs", (one, other)), ("/v1/batches", ({"items": [one]}, {"items": [other]}))):
        key = {"Idempotency-Key": uuid.uuid4().hex}
        ours = api("POST", path, json=bodies[0], headers=key)
        for body in bodies:
            theirs = stranger("POST", path, json=body, headers={"Idempotency-Key": f"{key['Idempotency-Key']}"})
            if body is bodies[0]:
                assert theirs.status_code == 202 and theirs.json["id"] != ours.json["id"]
                assert "Idempotency-Replayed" not in theirs.headers
            else:  # their own key, by now
                assert theirs.json["code"] == "idempotency_mismatch"
        assert api("POST", path, json=bodies[0], headers=key).json["id"] == ours.json["id"]


def test_tags_and_events_that_are_ours_tell_a_stranger_nothing(app, api, owned, stranger):  # noqa: F811
    job, batch = owned["job_id"], owned["batch_id"]
    api("POST", f"/v1/batches/{batch}/cancel")
    tag = api("GET", f"/v1/jobs/{job}").headers["ETag"]
    events = [
        api("GET", f"/v1/{what}/events").get_data(as_text=True).split("id: ")[1].splitlines()[0]
        for what in (f"jobs/{job}", f"batches/{batch}")
    ]
    assert api("GET", f"/v1/jobs/{job}/events", headers={"Last-Event-ID": events[0]}).status_code == 204
    asked = [
        *(("GET", "jobs/{}", {name: value}) for name in ("If-None-Match", "If-Match") for value in (tag, "*", '"a"')),
        *(("GET", "jobs/{}/events", {"Last-Event-ID": each}) for each in (*events, "")),
        *(("GET", "batches/{}/events", {"Last-Event-ID": each}) for each in (*events, "")),
        ("GET", "jobs/{}", {"Prefer": "wait=30"}),
    ]
    for method, path, headers in asked:
        ours = batch if path.startswith("batches") else job
        theirs = seen(app, stranger, method, f"/v1/{path.format(ours)}", headers=headers)
        assert theirs == seen(app, stranger, method, f"/v1/{path.format(NOBODY)}", headers=headers), (path, headers)
        assert theirs[0] == 404
    body = {"scores": {"Structure": 1}}
    for value in (tag, "*", '"a"'):
        theirs = seen(app, stranger, "PUT", f"/v1/jobs/{job}/review", json=body, headers={"If-Match": value})
        assert theirs[0] == 404
        assert theirs == seen(app, stranger, "PUT", f"/v1/jobs/{NOBODY}/review", json=body, headers={"If-Match": value})


def test_ids_of_ours_in_questions_and_bodies_are_like_ids_of_nobody(app, api, owned, stranger):  # noqa: F811
    lease = api("POST", "/v1/reviews/lease", json={}).json["lease"]
    stranger("POST", "/v1/rubrics", json={"name": "mine", "criteria": [{"name": "Structure", "measures": "Structure"}]})
    ids = {**owned, "rubric_id": api("GET", f"/v1/rubrics/{owned['rubric']}").json["id"], "lease": lease["id"]}
    nobodys = {**dict.fromkeys(ids, NOBODY), "rubric": "nobodys"}
    asked = [
        ("GET", "/v1/jobs?batch={batch_id}", None),
        ("GET", "/v1/jobs?rubric={rubric}", None),
        ("GET", "/v1/webhooks/deliveries?job={job_id}", None),
        ("GET", "/v1/webhooks/deliveries?batch={batch_id}", None),
        ("GET", "/v1/reviews/queue?rubric={rubric}", None),
        ("GET", "/v1/reviews/queue?rubric={rubric_id}", None),
        ("GET", "/v1/rubrics/{rubric_id}", None),
        ("GET", "/v1/rubrics/mine/report?calibration={calibration_id}", None),
        ("GET", "/v1/rubrics/mine/calibrations/{calibration_id}", None),
        ("POST", "/v1/rubrics/mine/calibrations/{calibration_id}/activate", {}),
        ("POST", "/v1/jobs", {"text": "a", "rubric": "rubric"}),
        ("POST", "/v1/jobs", {"text": "a", "rubric": "rubric_id"}),
        ("POST", "/v1/jobs/retry", {"batch": "batch_id"}),
        ("POST", "/v1/jobs/retry", {"rubric": "rubric"}),
        ("POST", "/v1/reviews/lease", {"rubric": "rubric"}),
        ("POST", f"/v1/reviews/lease/{lease['job_id']}/renew", {"lease": "lease"}),
        ("POST", "/v1/reviews/lease/{job_id}/release", {"lease": "lease"}),
        ("POST", "/v1/rubrics/mine/calibrations", {"cohort": {"batch": "batch_id"}}),
    ]
    for method, path, body in asked:
        answers = []
        for which in (ids, nobodys):
            options = {} if body is None else {"json": _filled(body, which)}
            answers.append(_without(seen(app, stranger, method, path.format(**which), **options), which))
        assert answers[0] == answers[1], (method, path, body)


def _filled(body, ids):
    if isinstance(body, dict):
        return {name: _filled(value, ids) for name, value in body.items()}
    return ids.get(body, body)


def _without(told, ids):
    """What was said, without the words that were sent."""
    text = str(told)
    for each in ids.values():
        text = text.replace(each, "*")
    return text


def test_files_and_results_of_ours_are_not_there_for_a_stranger(app, api, stranger):
    batch = send_form(api, "/v1/batches", {"file": (io.BytesIO(zipped({"a.txt": b"Text."})), "a.zip")}).json["id"]
    job = send_form(api, "/v1/jobs", {"file": (io.BytesIO(b"Text."), "secret.txt")}).json["id"]
    for form in ("json", "ndjson", "csv", "xlsx"):
        theirs = seen(app, stranger, "GET", f"/v1/batches/{batch}/results?format={form}")
        assert theirs == seen(app, stranger, "GET", f"/v1/batches/{NOBODY}/results?format={form}") and theirs[0] == 404
        assert api("GET", f"/v1/batches/{batch}/results?format={form}").status_code == 200
    assert stranger("GET", f"/v1/jobs/{job}").status_code == 404
    assert "secret" not in stranger("GET", "/v1/jobs").text


def test_secrets_and_endpoints_of_webhooks_are_a_tenants_own(api, stranger):
    url = f"https://{uuid.uuid4().hex}.example/hook"
    api("PUT", "/v1/webhooks/endpoint", json={"url": url, "payload": "full"})
    secret = api("POST", "/v1/webhooks/secret").json["secret"]
    theirs = stranger("GET", "/v1/webhooks")
    assert theirs.json == {"secrets": [], "endpoints": []}
    # The same address, said of by another: each has its own, and nobody hears what the other wants sent there.
    assert stranger("PUT", "/v1/webhooks/endpoint", json={"url": url}).json["payload"] == "thin"
    assert api("GET", "/v1/webhooks").json["endpoints"][0]["payload"] == "full"
    assert stranger("POST", "/v1/webhooks/secret").json["secret"] != secret
