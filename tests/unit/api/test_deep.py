"""JSON in JSON in JSON: what Python's decoder gives up at, and what an answer could not show again."""

from __future__ import annotations

import pytest

DEEP, DEEPER = 260, 100_000
JSON = "application/json"


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


@pytest.fixture
def rubric(api):
    api("POST", "/v1/rubrics", json={"name": "deep", "criteria": [{"name": "Structure", "measures": "Structure"}]})
    examples = [{"text": f"{n}", "scores": {"Structure": n}} for n in range(10)]
    return api("POST", "/v1/rubrics/deep/calibrations", json={"examples": examples}).json["id"]


@pytest.mark.parametrize(
    "at",
    ["/v1/jobs", "/v1/batches", "/v1/rubrics", "/v1/rubrics/deep/calibrations", "/v1/reviews/lease",
     "/v1/rubrics/deep/calibrations/{made}/activate"],
)  # fmt: skip
def test_a_body_that_is_nested_without_end_is_refused(api, rubric, at):
    for body in ("[" * DEEPER, '{"text": ' + "[" * DEEPER, '{"items": [' + "[" * DEEPER + "]" * DEEPER + "]}"):
        answer = api("POST", at.format(made=rubric), data=body, content_type=JSON)
        assert answer.status_code in (400, 409, 422), answer.text
        assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize("depth", [DEEP, 900])
def test_metadata_that_no_answer_could_show_is_refused(api, depth):
    answer = api("POST", "/v1/jobs", data=f'{{"text": "a", "metadata": {nested(depth)}}}', content_type=JSON)
    assert (answer.status_code, answer.json["code"]) in ((422, "invalid_request"), (400, "malformed"))
    body = f'{{"items": [{{"text": "Good."}}, {{"text": "Bad.", "metadata": {nested(depth)}}}]}}'
    answer = api("POST", "/v1/batches", data=body, content_type=JSON)
    assert answer.status_code == 202 and [each["row"] for each in answer.json["rejected"]] == [2], answer.text


def test_metadata_of_some_depth_comes_back_as_it_was_sent(api):
    answer = api("POST", "/v1/jobs", data=f'{{"text": "a", "metadata": {nested(60)}}}', content_type=JSON)
    shown = api("GET", f"/v1/jobs/{answer.json['id']}").json["metadata"]
    for _ in range(60):
        shown = shown["a"]
    assert shown == 1


@pytest.mark.parametrize(("number", "times"), [("1e308", 60), ("-1.5e300", 60), ("5e-324", 60), ("1e22", 800)])
def test_metadata_whose_numbers_would_be_long_when_written_out_is_refused(api, number, times):
    long = f'"metadata": {{"a": [{", ".join([number] * times)}]}}'
    for at, body in (
        ("/v1/jobs", f'{{"text": "a", {long}}}'),
        ("/v1/batches", f'{{"items": [{{"text": "a"}}], {long}}}'),
        ("/v1/batches", f'{{"items": [{{"text": "a", {long}}}]}}'),
    ):
        answer = api("POST", at, data=body, content_type=JSON)
        assert (answer.status_code, "numbers written out" in answer.text) == (422, True), (at, answer.text)


def test_metadata_with_a_long_number_or_a_word_like_one_comes_back_as_it_was_sent(api):
    metadata = {"a": [1e22, -5e-324, 2.5, 10**40], "1e300": "1e300 " * 2000}
    job = api("POST", "/v1/jobs", json={"text": "a", "metadata": metadata}).json["id"]
    assert api("GET", f"/v1/jobs/{job}").json["metadata"] == metadata


def test_a_body_that_is_no_object_forces_nothing(api, rubric):
    for body in ("true", "[1]", '"force"', "{", '{"force": true}'):
        answer = api("POST", f"/v1/rubrics/deep/calibrations/{rubric}/activate", data=body, content_type=JSON)
        assert (answer.status_code, answer.json["code"]) == (409, "conflict"), body
