"""Dead letters: what failed is listed with its reason, and queued again one by one or all at once."""

from __future__ import annotations

import pytest

from tests.unit.api.conftest import Api, end_jobs


def problem(code):
    return {
        "type": f"urn:gradeline:problem:{code}", "title": "It failed", "status": 500, "code": code,
        "detail": f"It failed with {code}.",
    }  # fmt: skip


def failed(api, database, code="unscorable", **fields):
    """A job that a worker gave up."""
    job = api("POST", "/v1/jobs", json={"text": "a", **fields}).json["id"]
    fail(database, code, job)
    return job


def fail(database, code, *ids):
    end_jobs(database, ids, error=problem(code))


def listed(api, query=""):
    return [job["id"] for job in api("GET", f"/v1/jobs?state=failed{query}").json["items"]]


def test_a_failed_job_says_why_and_after_how_many_attempts(api, database):
    job = failed(api, database, "worker_lost")
    api("POST", "/v1/jobs", json={"text": "waits"})
    items = api("GET", "/v1/jobs?state=failed").json["items"]
    assert [each["id"] for each in items] == [job]
    assert items[0]["error"] == problem("worker_lost")
    assert items[0]["attempts"] == 1 and items[0]["finished_at"]


def test_failed_jobs_are_listed_by_their_reason(api, database):
    lost, odd = failed(api, database, "worker_lost"), failed(api, database, "unscorable")
    assert listed(api, "&code=worker_lost") == [lost]
    assert listed(api, "&code=timed_out") == []
    assert listed(api) == [odd, lost]


def test_all_that_failed_is_queued_again_at_once(api, database):
    ids = [failed(api, database) for _ in range(3)]
    cancelled = api("POST", "/v1/jobs", json={"text": "a"}).json["id"]
    api("POST", f"/v1/jobs/{cancelled}/cancel")
    answer = api("POST", "/v1/jobs/retry", json={})
    assert (answer.status_code, answer.json) == (202, {"retried": 3})
    for job in ids:
        again = api("GET", f"/v1/jobs/{job}").json
        assert (again["state"], again["error"], again["finished_at"]) == ("queued", None, None)
    assert api("GET", f"/v1/jobs/{cancelled}").json["state"] == "cancelled"
    assert api("POST", "/v1/jobs/retry", json={}).json == {"retried": 0}


def test_only_what_fits_is_queued_again(api, database):
    api("POST", "/v1/rubrics", json={"name": "own", "criteria": [{"name": "Structure", "min": 0, "max": 6}]})
    batch = api("POST", "/v1/batches", json={"items": [{"text": "a"}, {"text": "b"}]}).json["id"]
    of_batch = [job["id"] for job in api("GET", f"/v1/jobs?batch={batch}").json["items"]]
    fail(database, "unscorable", *of_batch)
    lost, own = failed(api, database, "worker_lost"), failed(api, database, "timed_out", rubric="own")
    retry = lambda **body: api("POST", "/v1/jobs/retry", json=body).json["retried"]  # noqa: E731
    assert retry(code="worker_lost", rubric="own") == 0
    assert (retry(rubric="own@2"), retry(rubric="nope")) == (0, 0)
    assert (retry(code="worker_lost"), retry(rubric="own@1")) == (1, 1)
    assert api("GET", f"/v1/jobs/{lost}").json["state"] == api("GET", f"/v1/jobs/{own}").json["state"] == "queued"
    assert retry(batch=batch, limit=1) == 1
    assert listed(api) == [max(of_batch)]  # the oldest went first
    assert retry(batch=batch) == 1


def test_nobody_retries_what_another_tenant_has_or_what_was_erased(api, app, database, make_key):
    job, erased = failed(api, database), failed(api, database)
    api("DELETE", f"/v1/jobs/{erased}")
    other = Api(app.test_client(), make_key())
    assert other("POST", "/v1/jobs/retry", json={}).json == {"retried": 0}
    assert listed(api) == [erased, job]
    assert api("POST", "/v1/jobs/retry", json={}).json == {"retried": 1}


@pytest.mark.parametrize("body", [{"batch": "1"}, {"limit": 0}, {"limit": 10_001}, {"colour": "red"}, {"code": ""}])
def test_a_bad_wish_is_refused(api, body):
    answer = api("POST", "/v1/jobs/retry", json=body)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")


def test_a_reader_retries_nothing(app, make_key):
    reader = Api(app.test_client(), make_key("read"))
    assert reader("POST", "/v1/jobs/retry", json={}).status_code == 403
