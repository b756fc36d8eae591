"""A key that asks too often is told when to come back; without Valkey nobody is refused."""

from __future__ import annotations

import threading
import time

import pytest

from gradeline.stack.home import free_port
from tests.unit.api.conftest import Api


@pytest.fixture
def serve(make_app, make_key):
    return lambda **settings: Api(make_app(**{"rate_window_s": 3600, **settings}).test_client(), make_key())


def test_every_answer_says_how_much_is_left(serve):
    api = serve(rate_read=10, rate_submit=5)
    answer = api("GET", "/v1/jobs")
    assert answer.headers["RateLimit-Policy"] == '"read";q=10;w=3600'
    assert answer.headers["RateLimit"] in ('"read";r=9;t=3600', '"read";r=9;t=3599')
    assert api("POST", "/v1/jobs", json={"text": "a"}).headers["RateLimit"].startswith('"submit";r=4;')
    assert api("GET", "/v1/jobs/x").headers["RateLimit"].startswith('"read";r=8;')  # also with a problem


def test_one_too_many_is_a_problem_and_kinds_and_keys_are_apart(serve, make_key):
    api = serve(rate_read=2)
    assert [api("GET", "/v1/jobs").status_code for _ in range(3)] == [200, 200, 429]
    refused = api("GET", "/v1/jobs")
    assert (refused.json["code"], refused.json["type"]) == ("rate_limited", "urn:gradeline:problem:rate_limited")
    assert 0 < int(refused.headers["Retry-After"]) <= 3600 and refused.headers["RateLimit"].startswith('"read";r=0;')
    assert api("POST", "/v1/jobs", json={"text": "a"}).status_code == 202
    assert Api(api.http, make_key())("GET", "/v1/jobs").status_code == 200


def test_the_next_window_begins_afresh(serve):
    api = serve(rate_read=1, rate_window_s=1)
    assert api("GET", "/v1/jobs").status_code == 200
    deadline = time.monotonic() + 60
    while (answer := api("GET", "/v1/jobs")).status_code == 429:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert answer.status_code == 200


def test_processes_count_together(serve):
    first = serve(rate_read=2)
    second = Api(serve(rate_read=2).http, first.key)
    assert [each("GET", "/v1/jobs").status_code for each in (first, second, first)] == [200, 200, 429]


def test_of_a_large_quota_nobody_gets_more_and_who_asks_alone_gets_nearly_all(serve):
    first = serve(rate_read=1000)
    second = Api(serve(rate_read=1000).http, first.key)
    second("GET", "/v1/jobs/x")  # takes a block of 5 and uses one of it
    codes = [first("GET", "/v1/jobs/x").status_code for _ in range(1010)]
    assert codes[:995] == [404] * 995 and codes[995:] == [429] * 15
    assert [second("GET", "/v1/jobs/x").status_code for _ in range(6)] == [404] * 4 + [429] * 2


def test_threads_of_one_process_take_no_more_than_there_is(serve):
    api, codes = serve(rate_read=300), []

    def ask():
        mine = Api(api.http.application.test_client(), api.key)
        codes.extend(mine("GET", "/v1/jobs/x").status_code for _ in range(60))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert len(codes) == 480 and 290 <= codes.count(404) <= 300


def test_without_a_limit_nothing_is_counted_and_nothing_is_said(serve):
    api = serve(rate_read=0)
    assert "RateLimit" not in api("GET", "/v1/jobs").headers


def test_while_valkey_is_away_everybody_comes_in_and_the_log_says_so_once(serve, caplog):
    api = serve(rate_read=1, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    answers = [api("GET", "/v1/jobs") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200} and "RateLimit" not in answers[0].headers
    assert 1 <= sum("while Valkey is away" in record.getMessage() for record in caplog.records) < 5


def test_the_open_route_of_the_old_service_is_counted_too(serve):
    api = serve(rate_submit=1, wait_max_s=0)
    body = {"student_submission": "a"}
    codes = [api.http.post("/llm/rubric-score", json=body).status_code for _ in range(3)]
    assert codes[-1] == 429
    refused = api.http.post("/llm/rubric-score", json=body)
    assert set(refused.json) == {"error", "status"} and int(refused.headers["Retry-After"]) > 0
