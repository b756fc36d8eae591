"""A hand-in that is sent again makes nothing again, whoever is quicker."""

from __future__ import annotations

import threading
import uuid

import pytest
from sqlalchemy import func, select, text

from db import idempotency
from db.idempotency import IdempotencyKey
from tests.unit.api.conftest import Api, end_jobs
from tests.unit.api.test_jobs import stored
from tests.unit.db.test_jobs import RESULT


def key(value=None):
    return {"Idempotency-Key": value or uuid.uuid4().hex}


def keys(database) -> int:
    with database.session() as session:
        return session.scalar(select(func.count()).select_from(IdempotencyKey)) or 0


def test_the_same_request_answers_with_the_same_job(api, database):
    once = key()
    first = api("POST", "/v1/jobs", json={"text": "a"}, headers=once)
    assert (first.status_code, first.headers.get("Idempotency-Replayed")) == (202, None)
    before = stored(database)
    again = api("POST", "/v1/jobs", json={"text": "a"}, headers=once)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert again.json == first.json and again.headers["Location"] == first.headers["Location"]
    assert stored(database) == before


def test_a_quoted_key_is_the_bare_one(api):
    name = uuid.uuid4().hex
    first = api("POST", "/v1/jobs", json={"text": "a"}, headers=key(f'"{name} \\"x\\""'))
    again = api("POST", "/v1/jobs", json={"text": "a"}, headers=key(f'{name} "x"'))
    assert first.status_code == 202 and again.json["id"] == first.json["id"]


def test_a_finished_job_is_answered_with_200_to_who_prefers_to_wait(api, database):
    once = key()
    job = api("POST", "/v1/jobs", json={"text": "a"}, headers=once).json["id"]
    end_jobs(database, [job], RESULT)
    assert api("POST", "/v1/jobs", json={"text": "a"}, headers=once).status_code == 202
    again = api("POST", "/v1/jobs", json={"text": "a"}, headers={**once, "Prefer": "wait=5"})
    assert (again.status_code, again.json["state"]) == (200, "succeeded")
    assert again.headers["Idempotency-Replayed"] == "true"


def test_another_body_with_the_same_key_is_a_mismatch(api, database):
    once = key()
    api("POST", "/v1/jobs", json={"text": "a"}, headers=once)
    before = stored(database)
    for options in ({"json": {"text": "b"}}, {"data": '{"text":"a"}', "content_type": "application/json"}):
        answer = api("POST", "/v1/jobs", headers=once, **options)
        assert (answer.status_code, answer.json["code"]) == (422, "idempotency_mismatch")
    assert stored(database) == before


@pytest.mark.parametrize(
    ("route", "body", "kinds"),
    [
        ("/v1/jobs", '{"text": "a"}', ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"]),
        ("/v1/batches", '{"items": [{"text": "a"}]}', ["application/json; charset=utf-8", "application/json"]),
        ("/v1/batches", "text\na\n", ["text/csv", 'text/csv; charset="utf-8"; header=present']),
    ],
)  # fmt: skip
def test_the_same_body_is_the_same_request_however_its_type_is_spelt(api, route, body, kinds):
    once = key()
    answers = [api("POST", route, data=body, content_type=kind, headers=once) for kind in kinds]
    assert [answer.status_code for answer in answers] == [202] * len(kinds)
    assert len({answer.json["id"] for answer in answers}) == 1


def test_keys_of_tenants_and_of_routes_are_apart(api, app, make_key):
    once = key()
    mine = api("POST", "/v1/jobs", json={"text": "a"}, headers=once).json["id"]
    theirs = Api(app.test_client(), make_key())("POST", "/v1/jobs", json={"text": "a"}, headers=once)
    assert theirs.status_code == 202 and theirs.json["id"] != mine
    assert api("POST", "/v1/batches", json={"items": [{"text": "a"}]}, headers=once).status_code == 202


@pytest.mark.parametrize("odd", ["x" * 256, "", '""', '"open', 'a"b\x07', "\t"], ids=repr)
def test_a_key_that_can_be_none_is_refused(api, database, odd):
    before = stored(database)
    answer = api("POST", "/v1/jobs", json={"text": "a"}, headers={"Idempotency-Key": odd})
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")
    assert answer.json["errors"][0]["loc"] == ["Idempotency-Key"]
    assert stored(database) == before


def test_a_key_may_have_255_characters_besides_its_quotes(api):
    assert api("POST", "/v1/jobs", json={"text": "a"}, headers=key(f'"{"x" * 255}"')).status_code == 202


def test_a_refused_request_does_not_use_up_its_key(api, database):
    once, before = key(), keys(database)
    for wrong in ({"text": ""}, {"text": "a", "rubric": "nope"}, {"text": "a", "model": "gpt"}):
        assert api("POST", "/v1/jobs", json=wrong, headers=once).status_code == 422
    assert keys(database) == before
    assert api("POST", "/v1/jobs", json={"text": "a"}, headers=once).status_code == 202


def test_while_the_first_is_written_a_twin_is_told_to_come_back(api, database, app):
    once = key()
    tenant = app.extensions["gradeline"].keys.caller(api.key).tenant_id
    with database.session() as session:  # the first request, up to its commit
        asked = idempotency.Keyed(tenant, "POST /v1/jobs", once["Idempotency-Key"], b"")
        assert idempotency.find_made(session, asked) is None
        answer = api("POST", "/v1/jobs", json={"text": "a"}, headers=once)
        assert (answer.status_code, answer.json["code"]) == (409, "idempotency_in_flight")
        assert answer.headers["Retry-After"] == "1"
    assert api("POST", "/v1/jobs", json={"text": "a"}, headers=once).status_code == 202


@pytest.mark.parametrize(
    ("route", "body"), [("/v1/jobs", {"text": "a"}), ("/v1/batches", {"items": [{"text": "a"}] * 50})]
)
def test_of_racing_twins_exactly_one_makes_something(api, app, database, route, body):
    for _ in range(5):
        once, answers, start = key(), [], threading.Barrier(8)

        def hand_in(once=once, answers=answers, start=start):
            twin = Api(app.test_client(), api.key)
            start.wait(timeout=60)
            answer = twin("POST", route, json=body, headers=once)
            while answer.status_code == 409 and answer.json["code"] == "idempotency_in_flight":
                answer = twin("POST", route, json=body, headers=once)
            answers.append(answer)

        threads = [threading.Thread(target=hand_in) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=120)
        assert [answer.status_code for answer in answers] == [202] * 8
        assert len({answer.json["id"] for answer in answers}) == 1
        assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert len(api("GET", route).json["items"]) == 5


def test_the_same_batch_again_names_the_same_rows_that_were_not_taken(api, database):
    once, body = key(), {"items": [{"text": "a"}, {"text": ""}]}
    first = api("POST", "/v1/batches", json=body, headers=once)
    before = stored(database)
    again = api("POST", "/v1/batches", json=body, headers=once)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert again.json == first.json and again.json["rejected"][0]["row"] == 2
    assert stored(database) == before


def test_keys_are_forgotten_after_their_time_and_a_bounded_number_at_once(api, database):
    old = [key() for _ in range(3)]
    for each in old:
        api("POST", "/v1/jobs", json={"text": "a"}, headers=each)
    young = key()
    job = api("POST", "/v1/jobs", json={"text": "a"}, headers=young).json["id"]
    with database.session() as session:
        session.execute(
            text("UPDATE idempotency_key SET created_at = created_at - interval '25 hours' WHERE key = ANY(:keys)"),
            {"keys": [each["Idempotency-Key"] for each in old]},
        )
    for expected in (2, 1, 0):
        with database.session() as session:
            assert idempotency.forget_old(session, 24, 2) == expected
    assert api("POST", "/v1/jobs", json={"text": "b"}, headers=old[0]).status_code == 202
    assert api("POST", "/v1/jobs", json={"text": "a"}, headers=young).json["id"] == job


def test_the_document_names_the_header_and_what_it_may_answer(app):
    paths = app.test_client().get("/openapi.json").json["paths"]
    for route in ("/v1/jobs", "/v1/batches"):
        operation = paths[route]["post"]
        assert "Idempotency-Key" in [p["name"] for p in operation["parameters"] if p["in"] == "header"]
        assert "Idempotency-Replayed" in operation["responses"]["202"]["headers"]
        assert {"409", "422", "429", "503"} <= set(operation["responses"])
