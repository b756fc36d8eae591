"""What clients of all kinds expect of an HTTP server: HEAD, gzip, CORS where it is wanted, careful headers."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.unit.api.conftest import Api

PAGE = "https://lms.example"


@pytest.fixture
def serve(make_app, make_key):
    return lambda **settings: Api(make_app(**settings).test_client(), make_key())


def test_a_long_answer_is_packed_for_who_takes_it(api):
    for _ in range(8):
        api("POST", "/v1/jobs", json={"text": "a"})
    plain = api("GET", "/v1/jobs")
    packed = api("GET", "/v1/jobs", headers={"Accept-Encoding": "br, gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and "Accept-Encoding" in packed.headers["Vary"]
    assert json.loads(gzip.decompress(packed.data)) == plain.json
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data) / 3
    refused = api("GET", "/v1/jobs", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers


def test_a_short_answer_goes_as_it_is(api):
    job = api("POST", "/v1/jobs", json={"text": "a"}).json["id"]
    answer = api("GET", f"/v1/jobs/{job}", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers and answer.json["id"] == job


def test_the_tag_of_a_packed_job_is_weak_and_still_answers_304(api):
    job = api("POST", "/v1/jobs", json={"text": "a", "metadata": {"a": "x" * 6000}}).json["id"]
    packed = api("GET", f"/v1/jobs/{job}", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and packed.headers["ETag"].startswith("W/")
    again = api("GET", f"/v1/jobs/{job}", headers={"If-None-Match": packed.headers["ETag"]})
    assert again.status_code == 304


def test_head_is_get_without_a_body(api):
    for at in ("/v1/jobs", "/v1/rubrics", "/healthz", "/openapi.json"):
        got, head = api("GET", at), api("HEAD", at)
        assert (head.status_code, head.data) == (200, b"") and head.headers["Content-Type"] == got.headers[
            "Content-Type"
        ]


def test_no_web_page_may_read_answers_unless_the_operator_names_it(api, serve):
    assert "Access-Control-Allow-Origin" not in api("GET", "/v1/jobs", headers={"Origin": PAGE}).headers
    shared = serve(cors_origins=f"{PAGE}, https://other.example")
    answer = shared("GET", "/v1/jobs", headers={"Origin": PAGE})
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE and "Origin" in answer.headers["Vary"]
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Access-Control-Allow-Origin" not in shared("GET", "/v1/jobs", headers={"Origin": "https://evil"}).headers


def test_a_browser_may_ask_before_it_sends_and_needs_no_key_for_that(serve):
    http = serve(cors_origins=PAGE).http
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "if-match"}
    answer = http.options("/v1/jobs/x/review", headers=asked)
    assert answer.status_code == 200 and "PUT" in answer.headers["Access-Control-Allow-Methods"]
    for at in ("/v1/jobs", "/v1/batches", "/v1/rubrics", "/v1/webhooks/endpoint"):
        handing_in = http.options(at, headers={**asked, "Access-Control-Request-Method": "POST"})
        assert (handing_in.status_code, handing_in.headers["Access-Control-Allow-Origin"]) == (200, PAGE), at
    assert {"Authorization", "If-Match", "Idempotency-Key"} <= set(
        answer.headers["Access-Control-Allow-Headers"].split(", ")
    )
    assert (
        "Access-Control-Allow-Methods" not in http.options("/v1/jobs", headers={**asked, "Origin": "https://e"}).headers
    )


def test_a_star_is_any_page(serve):
    answer = serve(cors_origins="*")("GET", "/v1/jobs", headers={"Origin": "https://anything"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_answers_run_nothing_and_are_framed_by_nobody(api):
    answer = api("GET", "/v1/jobs", headers={"X-Request-ID": "mine-1"})
    assert answer.headers["X-Request-ID"] == "mine-1"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in api.http.get("/docs/swagger").headers["Content-Security-Policy"]
