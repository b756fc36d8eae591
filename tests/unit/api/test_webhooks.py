"""Webhooks from a job's end to an endpoint that checks the signature, through the process that sends them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import uuid
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from api.delivering import patience
from db import jobs
from db.work import Claimed, Finished
from tests.unit.api.conftest import Api, end_jobs, listening
from tests.unit.db.test_jobs import RESULT
from tests.waiting import until as until_within

WAIT_S = 120
AT_ONCE = ",".join(["0.05"] * 9)
until = partial(until_within, seconds=WAIT_S)


@pytest.fixture(scope="module")
def hooks(servers, tmp_path_factory):
    """The process that sends webhooks, which may send them to this machine."""
    own = {
        "DATABASE_URL": servers.database_url,
        "REDIS_URL": servers.redis_url,
        "GRADELINE_WEBHOOK_ALLOW": "127.0.0.1",
        "GRADELINE_WEBHOOK_RETRIES_S": AT_ONCE,
        "GRADELINE_WEBHOOK_TIMEOUT_S": "5",
        "GRADELINE_WEBHOOK_ENDPOINT_MOST": "2",
        "GRADELINE_WORKER_GRACE_S": "1",
        "C_FORCE_ROOT": "1",
    }
    with tmp_path_factory.mktemp("hooks").joinpath("log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.hooks"], env={**os.environ, **own}, stdout=log, stderr=log
        )
    yield process
    process.terminate()
    process.wait(timeout=60)


def secret_of(api) -> str:
    made = api("POST", "/v1/webhooks/secret")
    assert made.status_code == 201
    return made.get_json()["secret"]


def submit(api, url: str, **fields) -> str:
    job = api("POST", "/v1/jobs", json={"text": "A text to be told of.", "callback_url": url, **fields})
    assert job.status_code == 202
    return job.get_json()["id"]


def deliveries(api, **query) -> list[dict]:
    return api("GET", "/v1/webhooks/deliveries", query_string=query).get_json()["items"]


def delivered(api, state: str = "delivered", **query) -> dict:
    """The newest delivery, when it is in a state."""
    until(lambda: [each["state"] for each in deliveries(api, **query)][:1] == [state])
    return deliveries(api, **query)[0]


def claimed(database, job: str) -> list[Claimed]:
    """The job, held by a worker; one that is being marked as sent at this moment is claimed a moment later."""
    held: list[Claimed] = []

    def claim() -> bool:
        with database.session() as session:
            held.extend(jobs.claim(session, [uuid.UUID(job)], "w", 60))
        return bool(held)

    until(claim)
    return held


def test_an_end_is_told_with_ids_and_a_signature_that_the_library_verifies(api, database, hooks, endpoint):
    secret = secret_of(api)
    job = submit(api, f"{endpoint.url}/told?of=it", external_id="s-17", metadata={"name": "a student"})
    end_jobs(database, [job], RESULT)
    until(lambda: len(endpoint.heard) == 1)
    [(headers, body)] = endpoint.heard
    said = Webhook(secret).verify(body, headers)
    assert said["type"] == "job.succeeded" and datetime.fromisoformat(said["timestamp"])
    assert said["data"] == {"id": job, "external_id": "s-17", "batch_id": None, "state": "succeeded"}
    found = delivered(api, job=job)
    assert found["id"] == headers["webhook-id"] and found["attempts"] == 1 and found["last_status"] == 204
    assert endpoint.paths == ["/told?of=it"] and headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)


def test_an_endpoint_that_fails_five_times_gets_the_sixth_under_the_same_id(api, database, hooks, endpoint):
    secret = secret_of(api)
    endpoint.says = [(500, {}), (503, {"Retry-After": "0"}), (302, {"Location": endpoint.url}), (404, {}), (429, {})]
    job = submit(api, endpoint.url)
    end_jobs(database, [job], error={"code": "unscorable"})
    found = delivered(api)
    assert found["attempts"] == 6 == len(endpoint.heard) and found["last_error"] is None
    assert {headers["webhook-id"] for headers, _ in endpoint.heard} == {found["id"]}
    headers, body = endpoint.heard[-1]
    assert Webhook(secret).verify(body, headers)["type"] == "job.failed"


def test_it_is_given_up_after_the_last_attempt_and_sent_again_when_asked(api, database, hooks, endpoint):
    endpoint.says = [(500, {})] * 10
    job = submit(api, endpoint.url)
    end_jobs(database, [job], RESULT)
    found = delivered(api, "failed")
    assert found["attempts"] == 10 and found["last_error"] == "the endpoint answered 500" and found["ended_at"]
    again = api("POST", f"/v1/webhooks/deliveries/{found['id']}/redeliver")
    assert again.status_code == 202 and again.get_json()["state"] == "pending"
    done = delivered(api)
    assert done["id"] == found["id"] and done["attempts"] == 11
    assert {headers["webhook-id"] for headers, _ in endpoint.heard} == {found["id"]}


def test_an_endpoint_that_is_gone_is_left_alone_until_it_is_switched_on_again(api, database, hooks, endpoint):
    endpoint.says = [(410, {})]
    for _ in range(2):
        end_jobs(database, [submit(api, endpoint.url)], RESULT)
        delivered(api, "failed")
    assert len(endpoint.heard) == 1
    [listed] = api("GET", "/v1/webhooks").get_json()["endpoints"]
    assert listed["url"] == endpoint.url and listed["disabled_at"]
    on = api("PUT", "/v1/webhooks/endpoint", json={"url": endpoint.url})
    assert on.status_code == 200 and on.get_json()["disabled_at"] is None
    end_jobs(database, [submit(api, endpoint.url)], RESULT)
    delivered(api)
    assert len(endpoint.heard) == 2


def test_of_many_who_speak_of_a_new_endpoint_at_once_nobody_fails(api, app):
    url, answers, start = f"https://lms.example/{uuid.uuid4().hex}", [], threading.Barrier(6)

    def speak(enabled: bool) -> None:
        start.wait(timeout=60)
        said = {"url": url, "payload": "full", "enabled": enabled}
        answers.append(Api(app.test_client(), api.key)("PUT", "/v1/webhooks/endpoint", json=said))

    threads = [threading.Thread(target=speak, args=(bool(n % 2),)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert [(answer.status_code, answer.json["payload"]) for answer in answers] == [(200, "full")] * 6
    assert len(api("GET", "/v1/webhooks").json["endpoints"]) == 1


def test_since_when_an_endpoint_is_off_stays_until_it_is_on_again(api):
    def say(**said):
        return api("PUT", "/v1/webhooks/endpoint", json={"url": "https://lms.example/off", **said}).json

    off = say(enabled=False)
    assert off["disabled_at"] and say(enabled=False, payload="full") == {**off, "payload": "full"}
    assert say(enabled=True)["disabled_at"] is None
    assert say(enabled=False)["disabled_at"] > off["disabled_at"]


def test_an_endpoint_that_asks_for_it_gets_the_whole_job(api, database, hooks, endpoint):
    api("PUT", "/v1/webhooks/endpoint", json={"url": endpoint.url, "payload": "full"})
    job = submit(api, endpoint.url)
    end_jobs(database, [job], RESULT)
    until(lambda: len(endpoint.heard) == 1)
    assert json.loads(endpoint.heard[0][1])["data"] == api("GET", f"/v1/jobs/{job}").get_json()


def test_during_a_rotation_both_secrets_verify_and_then_only_the_new_one(api, database, hooks, endpoint):
    first = secret_of(api)
    second = api("POST", "/v1/webhooks/secret").get_json()
    assert second["previous_until"] > second["created_at"]
    end_jobs(database, [submit(api, endpoint.url)], RESULT)
    until(lambda: len(endpoint.heard) == 1)
    headers, body = endpoint.heard[0]
    assert len(headers["webhook-signature"].split()) == 2
    assert Webhook(first).verify(body, headers) == Webhook(second["secret"]).verify(body, headers)
    third = secret_of(api)  # two at most
    end_jobs(database, [submit(api, endpoint.url)], RESULT)
    until(lambda: len(endpoint.heard) == 2)
    headers, body = endpoint.heard[1]
    assert Webhook(second["secret"]).verify(body, headers) == Webhook(third).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(first).verify(body, headers)
    shown = api("GET", "/v1/webhooks").get_data(as_text=True)
    assert "whsec_" not in shown and len(json.loads(shown)["secrets"]) == 2


def test_cancelling_retrying_and_a_worker_that_is_lost_are_told_too(api, database, hooks, endpoint):
    job = submit(api, endpoint.url)
    for move, state in (("cancel", "cancelled"), ("retry", "queued")):
        answer = api("POST", f"/v1/jobs/{job}/{move}")
        assert answer.get_json().get("state") == state, answer.get_data(as_text=True)
    held = claimed(database, job)
    with database.session() as session:
        jobs.hand_back(session, held, {"code": "worker_lost"}, max_attempts=1, backoff_s=0)
    until(lambda: len(endpoint.heard) == 2)
    assert {json.loads(body)["type"] for _, body in endpoint.heard} == {"job.cancelled", "job.failed"}
    assert len({headers["webhook-id"] for headers, _ in endpoint.heard}) == 2


def test_the_end_of_a_batch_is_told_once_and_again_after_a_retry(api, database, hooks, endpoint):
    body = {"items": [{"text": f"Text {n}."} for n in range(3)], "callback_url": endpoint.url}
    batch = api("POST", "/v1/batches", json=body).get_json()["id"]
    ids = [job["id"] for job in api("GET", "/v1/jobs", query_string={"batch": batch}).get_json()["items"]]
    end_jobs(database, ids[:2], RESULT)
    end_jobs(database, ids[2:], error={"code": "unscorable"})
    found = delivered(api, batch=batch)
    assert found["type"] == "batch.finished" and found["job_id"] is None
    said = json.loads(endpoint.heard[0][1])["data"]
    assert said["id"] == batch and said["state"] == "finished" and said["counts"]["failed"] == 1
    api("POST", f"/v1/jobs/{ids[2]}/retry")
    api("POST", f"/v1/batches/{batch}/cancel")
    until(lambda: len(endpoint.heard) == 2)
    assert json.loads(endpoint.heard[1][1])["type"] == "batch.cancelled"


def test_an_address_inside_is_refused_and_the_log_says_so(api, database, hooks):
    for url in ("http://127.0.0.2:1/", "http://169.254.169.254/", "http://[::1]/"):
        end_jobs(database, [submit(api, url)], RESULT)
        found = delivered(api, "failed")
        assert found["attempts"] == 1 and "not one that webhooks may go to" in found["last_error"]


def test_a_slow_endpoint_holds_up_no_other(api, database, hooks, endpoint):
    endpoint.slow_s = 4.0
    ids = [submit(api, endpoint.url) for _ in range(40)]
    with listening() as quick:
        # The same address by another name is another endpoint.
        ids.append(submit(api, quick.url))
        end_jobs(database, ids, RESULT)
        until(lambda: len(quick.heard) == 1)
        assert len(endpoint.heard) < 40
    for job in ids:
        api("DELETE", f"/v1/jobs/{job}")  # and what was to be told of it


def test_what_is_erased_leaves_no_address_behind(api, database, endpoint):
    job = submit(api, f"{endpoint.url}/student/17")
    assert api("DELETE", f"/v1/jobs/{job}").status_code == 204
    assert deliveries(api) == []


def test_jobs_without_an_address_write_nothing(api, database):
    job = api("POST", "/v1/jobs", json={"text": "A text."}).get_json()["id"]
    end_jobs(database, [job], RESULT)
    assert deliveries(api) == []


def test_a_delivery_is_written_with_the_end_or_not_at_all(api, database, endpoint):
    job = submit(api, "http://127.0.0.2:1/")
    held = claimed(database, job)
    with pytest.raises(ZeroDivisionError), database.session() as session:
        jobs.finish(session, [Finished(held[0].id, held[0].attempt, {}, RESULT)], "m", "r")
        raise ZeroDivisionError  # the process dies before the commit
    assert deliveries(api) == []
    with database.session() as session:
        jobs.finish(session, [Finished(held[0].id, held[0].attempt, {}, RESULT)], "m", "r")
    assert len(deliveries(api)) == 1


def test_the_log_is_listed_in_pages_and_by_what_is_asked_for(api, database):
    ids = [submit(api, "http://127.0.0.2:1/") for _ in range(3)]
    end_jobs(database, ids[:2], RESULT)
    api("POST", f"/v1/jobs/{ids[2]}/cancel")
    page = api("GET", "/v1/webhooks/deliveries", query_string={"limit": 2}).get_json()
    rest = api("GET", "/v1/webhooks/deliveries", query_string={"limit": 2, "cursor": page["next"]}).get_json()
    assert len(page["items"]) == 2 and len(rest["items"]) == 1 and rest["next"] is None
    assert {each["job_id"] for each in page["items"] + rest["items"]} == set(ids)
    assert [each["job_id"] for each in deliveries(api, type="job.cancelled")] == [ids[2]]
    assert len(deliveries(api, job=ids[0])) == 1 and deliveries(api, batch=str(uuid.uuid4())) == []
    assert api("GET", "/v1/webhooks/deliveries", query_string={"cursor": "?"}).status_code == 422
    assert api("GET", "/v1/webhooks/deliveries", query_string={"state": "lost"}).status_code == 422


def test_nobody_else_sees_or_sends_a_delivery(api, app, database, make_key):
    end_jobs(database, [submit(api, "http://127.0.0.2:1/")], RESULT)
    [mine] = deliveries(api)
    other = type(api)(app.test_client(), make_key())
    assert deliveries(other) == [] and other("GET", "/v1/webhooks").get_json() == {"secrets": [], "endpoints": []}
    assert other("POST", f"/v1/webhooks/deliveries/{mine['id']}/redeliver").status_code == 404
    assert api("POST", "/v1/webhooks/deliveries/none/redeliver").status_code == 404


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("read", "GET", "/v1/webhooks"),
        ("read", "POST", "/v1/webhooks/secret"),
        ("submit", "PUT", "/v1/webhooks/endpoint"),
        ("submit", "GET", "/v1/webhooks/deliveries"),
        ("read", "POST", "/v1/webhooks/deliveries/01a21502-19e2-7dee-9294-c877fb683382/redeliver"),
    ],
)
def test_each_route_asks_for_its_scope(app, make_key, scope, method, path):
    http, key = app.test_client(), make_key(scope)
    assert http.open(path, method=method).status_code == 401
    assert http.open(path, method=method, headers={"Authorization": f"Bearer {key}"}).status_code == 403


def test_an_address_that_is_too_long_or_none_is_refused_when_it_comes(api):
    for url in ("ftp://x", "http://" + "ü" * 1500, "x", "https://"):
        assert api("POST", "/v1/jobs", json={"text": "a", "callback_url": url}).status_code == 422
        assert api("PUT", "/v1/webhooks/endpoint", json={"url": url}).status_code == 422
        assert api("POST", "/v1/batches", json={"items": [{"text": "a"}], "callback_url": url}).status_code == 422


def test_patience_is_read_as_seconds_or_as_a_date_and_has_an_end():
    assert patience("120") == 120 and patience("") == patience("soon") == patience("-5") == 0
    assert patience("9" * 400) == patience("10000000") == 86_400
    assert 50 < patience(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)) <= 60
