"""Routes of jobs, against a real database; nobody grades here."""

from __future__ import annotations

import json
import threading
import time
import uuid

import pytest
from sqlalchemy import func, select

from db import jobs
from db.job import Job
from db.submission import Submission
from db.work import Finished
from tests.unit.api.conftest import Api
from tests.unit.db.test_jobs import RESULT

LONGEST = 200_000


def stored(database) -> int:
    with database.session() as session:
        return (session.scalar(select(func.count()).select_from(Submission)) or 0) + (
            session.scalar(select(func.count()).select_from(Job)) or 0
        )


BODY = {"content_type": "application/json"}
BAD = [
    ("an empty text", {"json": {"text": ""}}, 422, "invalid_request"),
    ("only white space", {"json": {"text": " \n\t"}}, 422, "invalid_request"),
    ("no text", {"json": {}}, 422, "invalid_request"),
    ("a NUL", {"json": {"text": "a\0b"}}, 422, "invalid_request"),
    ("half a surrogate pair", {"data": '{"text": "a\\ud800b"}', **BODY}, 422, "invalid_request"),
    ("200,001 characters", {"json": {"text": "a" * (LONGEST + 1)}}, 422, "invalid_request"),
    ("not JSON", {"data": "{text:", **BODY}, 400, "malformed"),
    ("no body", {"data": "", **BODY}, 400, "malformed"),
    ("bytes that are not UTF-8", {"data": b'{"text": "\xff\xfe"}', **BODY}, 400, "malformed"),
    ("very deep JSON", {"data": "[" * 100_000, **BODY}, 400, "malformed"),
    ("a list", {"json": ["text"]}, 422, "invalid_request"),
    ("another media type", {"data": "text=a", "content_type": "text/plain"}, 415, "unsupported_media_type"),
    ("a number as text", {"json": {"text": 5}}, 422, "invalid_request"),
    ("a word as a flag", {"json": {"text": "a", "explain": "yes"}}, 422, "invalid_request"),
    ("an unknown rubric", {"json": {"text": "a", "rubric": "nope"}}, 422, "invalid_request"),
    ("an unknown version", {"json": {"text": "a", "rubric": "default@99"}}, 422, "invalid_request"),
    ("an unknown field", {"json": {"text": "a", "colour": "red"}}, 422, "invalid_request"),
    ("an unknown model", {"json": {"text": "a", "model": "gpt"}}, 422, "invalid_request"),
    ("an unknown device", {"json": {"text": "a", "device": "tpu"}}, 422, "invalid_request"),
    ("an odd address", {"json": {"text": "a", "callback_url": "ftp://x"}}, 422, "invalid_request"),
    ("much metadata", {"json": {"text": "a", "metadata": {"k": "v" * 17_000}}}, 422, "invalid_request"),
    ("a NUL in metadata", {"json": {"text": "a", "metadata": {"k": "\0"}}}, 422, "invalid_request"),
    ("a huge body", {"data": b'{"text": "' + b"a" * 5_000_000, **BODY}, 413, "too_large"),
]


@pytest.mark.parametrize(("what", "options", "status", "code"), BAD, ids=[case[0] for case in BAD])
def test_bad_input_is_refused_and_nothing_is_stored(api, database, what, options, status, code):
    before = stored(database)
    answer = api("POST", "/v1/jobs", **options)
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text
    assert answer.content_type == "application/problem+json"
    assert answer.json["type"] == f"urn:gradeline:problem:{code}"
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]
    assert stored(database) == before


def test_an_error_says_where_and_never_quotes_the_text(api):
    answer = api("POST", "/v1/jobs", json={"text": "secret words\0", "device": 1})
    assert {tuple(e["loc"]) for e in answer.json["errors"]} == {("text",), ("device",)}
    assert "secret" not in answer.text


SAID = [
    ('{"text": ""}', ["text"], "The text is empty."),
    ('{"text": " \\n"}', ["text"], "The text is empty."),
    ('{"text": "a\\ud800b"}', ["text"], "A lone surrogate is not allowed: the text is not valid Unicode."),
    ('{"text": "a\\u0000"}', ["text"], "A NUL character is not allowed."),
    ('{"text": "a", "metadata": {"a": "\\udc00"}}', ["metadata"],
     "A lone surrogate is not allowed: the text is not valid Unicode."),
    ('{"text": "a", "rubric": ""}', ["rubric"], "The value is empty."),
    ('{"text": "a", "rubric": {"criteria": [{"name": "x", "colour": 1}]}}', ["rubric", "criteria", 0, "colour"],
     "Extra inputs are not permitted"),
    ('{"text": "a", "rubric": {"name": 1, "criteria": [{"name": "x"}]}}', ["rubric", "name"], "Extra inputs are not permitted"),
    ('{"text": "a", "rubric": {"criteria": [{"name": "x", "min": 1, "max": 0}]}}', ["rubric", "criteria", 0],
     "The max (0) must be greater than min (1)."),
]  # fmt: skip


@pytest.mark.parametrize(("body", "loc", "said"), SAID)
def test_what_is_wrong_is_said_in_plain_words_at_the_place_that_the_caller_wrote(api, body, loc, said):
    answer = api("POST", "/v1/jobs", data=body, **BODY).json
    assert answer["errors"] == [{"loc": loc, "msg": said}]
    assert answer["detail"] == f"{'.'.join(str(part) for part in loc)}: {said}"


@pytest.mark.parametrize("key", [None, "", "gl_x_y", "gl_" + "0" * 12 + "_" + "a" * 43, "x" * 5000])
def test_without_a_valid_key_nothing_is_told_or_stored(app, database, key):
    before = stored(database)
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    for method, path in (("POST", "/v1/jobs"), ("GET", "/v1/jobs"), ("GET", f"/v1/jobs/{uuid.uuid4()}")):
        answer = app.test_client().open(path, method=method, headers=headers, json={"text": "a"})
        assert (answer.status_code, answer.json["code"]) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert stored(database) == before


def test_a_key_without_the_scope_is_forbidden(app, make_key, database):
    before = stored(database)
    headers = {"Authorization": f"Bearer {make_key('read')}"}
    answer = app.test_client().post("/v1/jobs", headers=headers, json={"text": "a"})
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    assert stored(database) == before


def test_the_wrong_method_is_405_with_the_right_ones(api):
    answer = api("PUT", "/v1/jobs", json={"text": "a"})
    assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


def test_a_submitted_text_is_answered_with_its_job(api):
    answer = api("POST", "/v1/jobs", json={"text": "A text.", "external_id": "s-17", "metadata": {"a": [1]}})
    assert answer.status_code == 202
    job = answer.json
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert int(answer.headers["Retry-After"]) >= 1
    assert uuid.UUID(job["id"]).version == 7
    assert (job["state"], job["external_id"], job["metadata"]) == ("queued", "s-17", {"a": [1]})
    assert job["rubric"] | {"id": ""} == {"id": "", "name": "default", "version": 1}
    assert job["scores"] is None and job["overall"] is None and job["error"] is None
    assert api("GET", f"/v1/jobs/{job['id']}").json == job


def test_the_longest_text_of_any_unicode_is_taken(api):
    text = "\U0001f600" * LONGEST
    assert api("POST", "/v1/jobs", data=json.dumps({"text": text}), content_type="application/json").status_code == 202


def test_jobs_are_listed_by_state_and_external_id(api):
    ids = [api("POST", "/v1/jobs", json={"text": "a", "external_id": f"s-{n}"}).json["id"] for n in range(3)]
    api("POST", f"/v1/jobs/{ids[0]}/cancel")
    listed = lambda query: [job["id"] for job in api("GET", f"/v1/jobs?{query}").json["items"]]  # noqa: E731
    assert listed("state=queued") == ids[:0:-1]
    assert listed("external_id=s-1") == [ids[1]]
    page = api("GET", "/v1/jobs?limit=2").json
    assert [job["id"] for job in page["items"]] == ids[:0:-1]
    assert listed(f"cursor={page['next']}") == ids[:1]


def test_jobs_are_listed_by_a_rubrics_name_with_all_versions_by_one_version_and_by_id(api, app, make_key):
    made = [
        api("POST", "/v1/rubrics", json={"name": "essay", "criteria": [{"name": "Structure", "max": top}]}).json
        for top in (5, 6)
    ]
    jobs = [api("POST", "/v1/jobs", json={"text": "a", "rubric": rubric["id"]}).json["id"] for rubric in made]
    by_default = api("POST", "/v1/jobs", json={"text": "a"}).json
    wanted = {
        "essay": jobs, "essay@1": jobs[:1], "essay@2": jobs[1:], made[0]["id"]: jobs[:1], "default": [by_default["id"]],
        "default@1": [by_default["id"]], by_default["rubric"]["id"]: [by_default["id"]], "essay@3": [], "nope": [],
        "00000000-0000-7000-8000-000000000000": [], "@1": [], "essay@": [],
    }  # fmt: skip
    for reference, ids in wanted.items():
        found = api("GET", "/v1/jobs", query_string={"rubric": reference})
        assert sorted(job["id"] for job in found.json["items"]) == sorted(ids), reference
    stranger = Api(app.test_client(), make_key())
    for reference in ("essay", made[0]["id"], by_default["rubric"]["id"]):
        assert stranger("GET", "/v1/jobs", query_string={"rubric": reference}).json["items"] == []


@pytest.mark.parametrize("query", ["state=odd", "limit=0", "limit=x", "cursor=!!", "batch=1", "colour=red"])
def test_a_bad_query_is_refused(api, query):
    answer = api("GET", f"/v1/jobs?{query}")
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")


def test_jobs_of_another_tenant_do_not_exist(api, app, make_key):
    job = api("POST", "/v1/jobs", json={"text": "a"}).json["id"]
    other = {"Authorization": f"Bearer {make_key()}"}
    http = app.test_client()
    for method, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/retry"), ("DELETE", "")):
        assert http.open(f"/v1/jobs/{job}{path}", method=method, headers=other).status_code == 404
    assert http.get("/v1/jobs", headers=other).json["items"] == []
    assert api("GET", f"/v1/jobs/{job}").json["state"] == "queued"


@pytest.mark.parametrize("odd", ["1", "not-an-id", "01a21502-19e2-4dee-9294-c877fb683382", "%00", "..%2f"])
def test_an_id_that_is_none_is_not_found(api, odd):
    assert api("GET", f"/v1/jobs/{odd}").json["code"] == "not_found"


def test_cancel_retry_and_erase_move_a_job_as_they_may(api):
    job = api("POST", "/v1/jobs", json={"text": "a", "external_id": "x"}).json["id"]
    assert api("POST", f"/v1/jobs/{job}/retry").json["code"] == "conflict"
    assert api("POST", f"/v1/jobs/{job}/cancel").json["state"] == "cancelled"
    assert api("POST", f"/v1/jobs/{job}/retry").json["state"] == "queued"
    assert api("DELETE", f"/v1/jobs/{job}").status_code == 204
    erased = api("GET", f"/v1/jobs/{job}").json
    assert erased["state"] == "cancelled" and erased["erased_at"] and erased["external_id"] is None
    assert api("POST", f"/v1/jobs/{job}/retry").json["code"] == "conflict"


def test_an_unchanged_job_is_not_sent_again(api):
    job = api("POST", "/v1/jobs", json={"text": "a"}).json["id"]
    tag = api("GET", f"/v1/jobs/{job}").headers["ETag"]
    assert api("GET", f"/v1/jobs/{job}", headers={"If-None-Match": tag}).status_code == 304
    api("POST", f"/v1/jobs/{job}/cancel")
    assert api("GET", f"/v1/jobs/{job}", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    "metadata",
    [
        {"course": "7b", "a": 1, "weeks": [{"zoo": 1, "b": 2}]},  # PostgreSQL sorts names by length
        {"n": [1.0, 1, 100.0, 1e16, 1.5e20, 1e-7, -0.0, 12345678901234567890]},  # and writes numbers out
    ],
)
def test_the_tag_of_a_job_that_was_just_made_is_that_of_the_job_as_it_is_read(api, metadata):
    made = api("POST", "/v1/jobs", json={"text": "a", "metadata": metadata})
    at, tag = f"/v1/jobs/{made.json['id']}", made.headers["ETag"]
    assert api("GET", at, headers={"If-None-Match": tag}).status_code == 304
    assert api("GET", at).json["metadata"] == metadata
    other = api("POST", "/v1/jobs", json={"text": "a", "metadata": metadata})
    assert other.headers["ETag"] != tag


def test_a_job_that_is_not_the_one_that_is_asked_for_is_a_problem(api):
    job = api("POST", "/v1/jobs", json={"text": "a"}).json["id"]
    answer = api("GET", f"/v1/jobs/{job}", headers={"If-Match": '"another"'})
    assert (answer.status_code, answer.mimetype) == (412, "application/problem+json")
    assert answer.json["code"] == "precondition_failed"
    tag = api("GET", f"/v1/jobs/{job}").headers["ETag"]
    assert api("GET", f"/v1/jobs/{job}", headers={"If-Match": tag}).json["id"] == job


def test_who_prefers_to_wait_gets_the_finished_job(api, database):
    job = uuid.UUID(api("POST", "/v1/jobs", json={"text": "a"}).json["id"])

    def finish() -> None:
        time.sleep(0.3)
        with database.session() as session:
            held = jobs.claim(session, [job], "w", 60)
            done = [Finished(h.id, h.attempt, {}, RESULT) for h in held]
            jobs.finish(session, done, "m", "r")

    thread = threading.Thread(target=finish)
    thread.start()
    answer = api("GET", f"/v1/jobs/{job}", headers={"Prefer": "wait=20"})
    thread.join()
    assert (answer.status_code, answer.json["state"]) == (200, "succeeded")
    assert answer.headers["Preference-Applied"] == "wait=20"


def test_a_wait_that_is_too_short_answers_202(api):
    answer = api("POST", "/v1/jobs", json={"text": "a"}, headers={"Prefer": "wait=1"})
    assert (answer.status_code, answer.json["state"]) == (202, "queued")


def test_a_wait_is_told_as_it_was_applied_and_not_as_it_was_asked_for(make_app, make_key):
    short = Api(make_app(wait_max_s=1).test_client(), make_key())
    answer = short("POST", "/v1/jobs", json={"text": "a"}, headers={"Prefer": "wait=20"})
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=1")


def test_the_callers_request_id_is_kept_when_it_is_harmless(api):
    assert api("GET", "/healthz", headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"
    assert api("GET", "/healthz", headers={"X-Request-ID": "a b"}).headers["X-Request-ID"] != "a b"
