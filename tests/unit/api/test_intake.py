"""No more work is taken than may wait, and who is refused learns when to come back."""

from __future__ import annotations

import time
import uuid

import pytest
from sqlalchemy import text

from api import intake
from db.waiting import waiting
from tests.unit.api.conftest import Api, end_jobs
from tests.unit.api.test_failed import problem
from tests.unit.api.test_jobs import stored
from tests.unit.db.test_jobs import RESULT


@pytest.fixture
def limited(make_app, make_key):
    """Makes callers of an API with limits."""
    return lambda **limits: Api(make_app(**limits).test_client(), make_key())


def submit(api, count=1):
    return [api("POST", "/v1/jobs", json={"text": "a"}) for _ in range(count)]


def grade(database, ids):
    end_jobs(database, ids, RESULT)


def accepted_in_time(api, body=None):
    """What waits is counted anew every second or so."""
    deadline = time.monotonic() + 60
    while True:
        answer = api("POST", "/v1/jobs", json=body or {"text": "a"})
        if answer.status_code == 202 or time.monotonic() > deadline:
            return answer
        time.sleep(0.2)


def test_a_tenant_with_as_much_waiting_as_it_may_is_told_so(limited, database):
    api = limited(most_waiting_tenant=3)
    taken = submit(api, 3)
    assert {answer.status_code for answer in taken} == {202}
    before = stored(database)
    refused = submit(api)[0]
    assert (refused.status_code, refused.json["code"]) == (429, "rate_limited")
    assert refused.json["detail"] == "3 of your texts wait, and the limit is 3."
    assert int(refused.headers["Retry-After"]) >= 1
    assert stored(database) == before


def test_work_in_the_broker_waits_too_and_room_is_seen_without_a_restart(limited, database):
    api = limited(most_waiting_tenant=3)
    ids = [answer.json["id"] for answer in submit(api, 3)]
    with database.session() as session:  # as if all had been sent
        session.execute(text("UPDATE job SET dispatched_at = clock_timestamp() WHERE id = ANY(:ids)"), {"ids": ids})
    time.sleep(1.1)
    assert submit(api)[0].status_code == 429
    grade(database, ids[:1])
    assert accepted_in_time(api).status_code == 202


def test_another_tenant_is_not_held_up(limited, make_key):
    api = limited(most_waiting_tenant=1)
    submit(api)
    assert submit(api)[0].status_code == 429
    assert submit(Api(api.http, make_key()))[0].status_code == 202


def test_a_batch_counts_by_its_rows(limited, database):
    api = limited(most_waiting_tenant=10)
    batch = lambda rows: api("POST", "/v1/batches", json={"items": [{"text": "a"}] * rows})  # noqa: E731
    assert batch(8).status_code == 202
    before = stored(database)
    assert (batch(3).status_code, batch(3).json["detail"]) == (429, "8 of your texts wait, and the limit is 10.")
    never = batch(11)
    assert (never.status_code, never.json["code"]) == (413, "too_large")
    assert stored(database) == before
    assert batch(2).status_code == 202


def test_beyond_the_limit_of_all_tenants_the_server_is_overloaded(limited, database, make_key):
    with database.session() as session:
        already = waiting(session, 10**6)
    api = limited(most_waiting=already + 2)
    assert submit(api)[0].status_code == 202
    assert submit(Api(api.http, make_key()))[0].status_code == 202
    refused = submit(Api(api.http, make_key()))[0]
    assert (refused.status_code, refused.json["code"]) == (503, "overloaded")
    assert f"the limit is {already + 2:,}" in refused.json["detail"]
    assert int(refused.headers["Retry-After"]) >= 1


AGAIN = [("/v1/rubrics/default/regrade", None), ("/v1/jobs/retry", {})]


@pytest.mark.parametrize(("path", "body"), AGAIN)
def test_what_is_graded_again_waits_too(limited, database, path, body):
    api = limited(most_waiting_tenant=3)
    ended = [answer.json["id"] for answer in submit(api, 3)]
    end_jobs(database, ended, *((RESULT,) if body is None else (None, problem("worker_lost"))))
    for _ in range(2):
        assert accepted_in_time(api).status_code == 202
    before = [batch["id"] for batch in api("GET", "/v1/batches").json["items"]]
    refused = api("POST", path, json=body)
    assert (refused.status_code, refused.json["detail"]) == (429, "2 of your texts wait, and the limit is 3.")
    assert [batch["id"] for batch in api("GET", "/v1/batches").json["items"]] == before
    assert {api("GET", f"/v1/jobs/{job}").json["state"] for job in ended} <= {"succeeded", "failed"}
    roomy = Api(limited(most_waiting_tenant=5).http, api.key)
    assert roomy("POST", path, json=body).status_code == 202


@pytest.mark.parametrize(("path", "body"), [*AGAIN, ("/v1/jobs/{job}/retry", None)])
def test_an_overloaded_server_grades_nothing_again(limited, database, path, body):
    api = limited()
    done, lost = (answer.json["id"] for answer in submit(api, 2))
    end_jobs(database, [done], RESULT)
    end_jobs(database, [lost], error=problem("worker_lost"))
    submit(api, 2)
    full = Api(limited(most_waiting=1).http, api.key)
    refused = full("POST", path.format(job=lost), json=body)
    assert (refused.status_code, refused.json["code"]) == (503, "overloaded")
    assert int(refused.headers["Retry-After"]) >= 1
    assert api("GET", f"/v1/jobs/{lost}").json["state"] == "failed" and api("GET", "/v1/batches").json["items"] == []


def test_a_repeated_request_is_answered_although_nothing_new_is_taken(limited):
    api, once = limited(most_waiting_tenant=1), {"Idempotency-Key": uuid.uuid4().hex}
    first = api("POST", "/v1/jobs", json={"text": "a"}, headers=once)
    assert submit(api)[0].status_code == 429
    assert api("POST", "/v1/jobs", json={"text": "a"}, headers=once).json["id"] == first.json["id"]


@pytest.fixture
def counts(monkeypatch):
    """The limits up to which was counted."""
    made = []
    monkeypatch.setattr(
        intake, "waiting", lambda session, most, owner: made.append(most) or waiting(session, most, owner)
    )
    return made


def test_what_waits_is_counted_the_less_often_the_more_room_there_is(limited, counts):
    much, little = 100 * intake.FASTEST, 3
    for limit, expected in ((much, 1), (little, 2)):
        counts.clear()
        api = limited(most_waiting_tenant=limit, most_waiting=0)
        submit(api)
        time.sleep(intake.REMEMBER_S + 0.2)
        assert submit(api)[0].status_code == 202
        assert counts == [limit + 1] * expected


def test_nobody_is_refused_by_an_old_count(limited, database, monkeypatch):
    monkeypatch.setattr(intake, "FASTEST", 0.001)
    monkeypatch.setattr(intake, "LONG_S", 3600)  # by a count there would be no other for longer than anybody waits here
    api = limited(most_waiting_tenant=2)
    ids = [answer.json["id"] for answer in submit(api, 2)]
    assert submit(api)[0].status_code == 429
    grade(database, ids)
    assert accepted_in_time(api).status_code == 202
    assert accepted_in_time(api).status_code == 202


def test_when_to_come_back_follows_from_the_rate(limited, database):
    api = limited(most_waiting_tenant=40)
    ids = [answer.json["id"] for answer in submit(api, 40)]
    assert submit(api)[0].headers["Retry-After"] == "10"  # nothing was graded yet: nobody knows
    grade(database, ids[:20])  # two a second over ten seconds
    accepted_in_time(api)
    answer, deadline = submit(api)[0], time.monotonic() + 60
    while answer.status_code == 202 and time.monotonic() < deadline:
        answer = submit(api)[0]
    assert answer.status_code == 429 and 1 <= int(answer.headers["Retry-After"]) <= 10


@pytest.mark.parametrize("held", [False, True])
def test_counting_stops_at_what_is_asked(database, limited, held):
    api = limited()
    tenant = api.http.application.extensions["gradeline"].keys.caller(api.key).tenant_id
    submit(api, 5)
    with database.session() as session:
        if held:
            session.execute(
                text("UPDATE job SET dispatched_at = NULL, held = true WHERE tenant_id = :t"), {"t": tenant}
            )
        else:
            session.execute(text("UPDATE job SET dispatched_at = NULL WHERE tenant_id = :t"), {"t": tenant})
        assert waiting(session, 3, tenant) == (0 if held else 3)
        assert waiting(session, 30, tenant) == (0 if held else 5)
        session.rollback()
