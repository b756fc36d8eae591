"""Routes of batches; nobody grades or fits anything here."""

from __future__ import annotations

import json
import uuid

import pytest
from sqlalchemy import select

from api.app import create_app
from api.settings import ApiSettings
from db import baselines, calibrations
from db.calibrations import Made
from db.job import Job
from db.submission import Submission
from tests.unit.api.conftest import Api
from tests.unit.api.test_jobs import stored

OWN = {"name": "essay", "criteria": [{"name": "Structure", "min": 0, "max": 6, "step": 1}]}


def items(count):
    return [{"text": f"Text {n}.", "external_id": f"s-{n}"} for n in range(count)]


def submitted(api, count=3, **fields):
    answer = api("POST", "/v1/batches", json={"items": items(count), **fields})
    assert answer.status_code == 202, answer.text
    return answer.json


@pytest.fixture
def rubric(api):
    return api("POST", "/v1/rubrics", json=OWN).json


def test_a_batch_is_answered_with_its_counts_and_can_be_read(api):
    answer = api("POST", "/v1/batches", json={"items": items(3), "metadata": {"term": 1}})
    batch = answer.json
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/v1/batches/{batch['id']}")
    assert uuid.UUID(batch["id"]).version == 7
    assert batch.pop("rejected") == []
    assert batch["counts"] == {"queued": 3, "running": 0, "succeeded": 0, "failed": 0, "cancelled": 0, "total": 3}
    assert (batch["state"], batch["eta_seconds"], batch["finished_at"]) == ("running", None, None)
    assert batch["baseline"] == {"mode": "none", "state": "none", "calibration": None, "reason": None}
    assert (batch["metadata"], batch["rubric"]["name"]) == ({"term": 1}, "default")
    assert api("GET", f"/v1/batches/{batch['id']}").json == batch
    assert api("GET", "/v1/batches").json == {"items": [batch], "next": None}


def test_its_jobs_are_bulk_and_each_carries_its_own_or_the_batchs_prompt(api, database):
    own = {"text": "Mine.", "external_id": "own", "prompt": "Another task?", "metadata": {"a": 1}}
    batch = submitted(api, items=[own, {"text": "Theirs."}], prompt="The task?", explain=True, device="cpu")
    theirs, mine = api("GET", f"/v1/jobs?batch={batch['id']}").json["items"]
    assert (mine["external_id"], mine["metadata"], theirs["external_id"]) == ("own", {"a": 1}, None)
    assert {job["priority"] for job in (mine, theirs)} == {"bulk"}
    with database.session() as session:
        rows = session.execute(
            select(Job.explain, Job.queue, Submission.prompt)
            .join(Submission, Submission.id == Job.submission_id)
            .where(Job.batch_id == uuid.UUID(batch["id"]))
            .order_by(Job.id)
        )
        assert [tuple(row) for row in rows] == [
            (True, "all-minilm-l6-v2.cpu.bulk", "Another task?"),
            (True, "all-minilm-l6-v2.cpu.bulk", "The task?"),
        ]


def test_bad_rows_are_named_by_number_and_do_not_sink_the_rest(api):
    bad = [{"text": " "}, {"text": "secret\0"}, "no object", {"external_id": "x"}, {"text": "a", "colour": "red"}]
    batch = submitted(api, items=[{"text": "Good."}, *bad, {"text": "Good too."}])
    assert batch["counts"]["total"] == 2
    assert [each["row"] for each in batch["rejected"]] == [2, 3, 4, 5, 6]
    problem = batch["rejected"][1]["problem"]
    assert (problem["code"], problem["status"], problem["errors"][0]["loc"]) == ("invalid_request", 422, ["text"])
    assert "NUL" in problem["detail"] and "secret" not in json.dumps(batch)


BAD = [
    ("no items", {"items": []}, 422, "invalid_request"),
    ("items that are none", {"items": "text"}, 422, "invalid_request"),
    ("nothing at all", {}, 422, "invalid_request"),
    ("nothing that can be graded", {"items": [{"text": ""}, {"text": " "}]}, 422, "invalid_request"),
    ("an unknown rubric", {"items": items(1), "rubric": "nope"}, 422, "invalid_request"),
    ("an unknown model", {"items": items(1), "model": "gpt"}, 422, "invalid_request"),
    ("an unknown field", {"items": items(1), "colour": "red"}, 422, "invalid_request"),
    ("an unknown baseline", {"items": items(1), "baseline": "yes"}, 422, "invalid_request"),
    ("interactive", {"items": items(1), "priority": "interactive"}, 422, "invalid_request"),
    ("much metadata", {"items": items(1), "metadata": {"k": "v" * 17_000}}, 422, "invalid_request"),
    ("10,001 items", {"items": [{"text": "a"}] * 10_001}, 413, "too_large"),
]


@pytest.mark.parametrize(("what", "body", "status", "code"), BAD, ids=[case[0] for case in BAD])
def test_what_can_not_be_a_batch_is_refused_and_nothing_is_stored(api, database, what, body, status, code):
    before = stored(database)
    answer = api("POST", "/v1/batches", json=body)
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text
    assert stored(database) == before


def test_when_no_row_is_good_the_answer_says_of_each_why(api):
    answer = api("POST", "/v1/batches", json={"items": [{"text": ""}, {"text": "\0"}]})
    assert [error["loc"] for error in answer.json["errors"]] == [["items", 0], ["items", 1]]
    assert "NUL" in answer.json["errors"][1]["msg"]


def test_settings_of_the_query_count_beside_json_and_those_of_the_body_come_first(api):
    query = "?rubric=nobodys&metadata=%7B%22a%22%3A1%7D"
    refused = api("POST", f"/v1/batches{query}", json={"items": [{"text": "a"}]})
    assert (refused.status_code, refused.json["errors"][0]["loc"]) == (422, ["rubric"])
    made = api("POST", f"/v1/batches{query}", json={"rubric": "default", "items": [{"text": "a"}]})
    assert (made.status_code, made.json["rubric"]["name"], made.json["metadata"]) == (202, "default", {"a": 1})
    assert api("POST", "/v1/batches?colour=red", json={"items": [{"text": "a"}]}).status_code == 422


def test_a_body_longer_than_an_upload_may_be_is_refused(servers, make_key):
    settings = ApiSettings(database_url=servers.database_url, redis_url=servers.redis_url, max_upload_bytes=2048)
    app = create_app(settings)
    answer = Api(app.test_client(), make_key())("POST", "/v1/batches", json={"items": [{"text": "a" * 3000}]})
    assert (answer.status_code, answer.json["code"]) == (413, "too_large")
    app.extensions["gradeline"].database.close()


def test_a_class_longer_than_a_job_may_be_is_taken(api):
    assert submitted(api, items=[{"text": "word " * 30_000}] * 40)["counts"]["total"] == 40  # 6 MB


def test_a_key_that_may_only_read_submits_and_cancels_nothing(api, app, make_key, database):
    batch, before = submitted(api)["id"], stored(database)
    reader = Api(app.test_client(), make_key("read"))
    assert reader("POST", "/v1/batches", json={"items": items(1)}).status_code == 403
    assert reader("POST", f"/v1/batches/{batch}/cancel").status_code == 403
    assert stored(database) == before


def test_a_batch_of_another_tenant_does_not_exist(api, app, make_key):
    batch = submitted(api)["id"]
    other = Api(app.test_client(), make_key())
    assert other("GET", f"/v1/batches/{batch}").json["code"] == "not_found"
    assert other("POST", f"/v1/batches/{batch}/cancel").status_code == 404
    assert other("GET", "/v1/batches").json["items"] == []
    assert api("GET", f"/v1/batches/{batch}").json["counts"]["queued"] == 3


@pytest.mark.parametrize("odd", ["1", "not-an-id", "01a21502-19e2-4dee-9294-c877fb683382", "%00"])
def test_an_id_that_is_none_is_not_found(api, odd):
    answer = api("GET", f"/v1/batches/{odd}")
    assert (answer.status_code, answer.json["detail"]) == (404, "There is no batch with this id.")


def test_a_batch_is_cancelled_once_and_for_all(api):
    batch = submitted(api)["id"]
    for _ in range(2):
        cancelled = api("POST", f"/v1/batches/{batch}/cancel")
        assert (cancelled.status_code, cancelled.json["state"]) == (200, "cancelled")
    assert cancelled.json["counts"] == {
        "queued": 0, "running": 0, "succeeded": 0, "failed": 0, "cancelled": 3, "total": 3,
    }  # fmt: skip
    assert cancelled.json["cancelled_at"] and cancelled.json["finished_at"] and cancelled.json["eta_seconds"] == 0


def test_a_regrade_can_be_read_as_a_batch_and_has_nothing_to_cancel(api, rubric):
    made = api("POST", "/v1/rubrics/essay/regrade")
    shown = api("GET", made.headers["Location"]).json
    assert (shown["id"], shown["state"], shown["counts"]["total"]) == (made.json["id"], "finished", 0)
    assert api("POST", f"/v1/batches/{shown['id']}/cancel").json["code"] == "conflict"


def test_pages_of_batches_and_a_foreign_cursor(api):
    made = [submitted(api, 1)["id"] for _ in range(3)]
    page = api("GET", "/v1/batches?limit=2").json
    rest = api("GET", f"/v1/batches?limit=2&cursor={page['next']}").json
    assert [each["id"] for each in page["items"] + rest["items"]] == made[::-1] and rest["next"] is None
    assert api("GET", "/v1/batches?cursor=!!").json["code"] == "invalid_request"


def test_a_baseline_is_made_of_twenty_texts_and_is_used_when_it_is_there(api, database, rubric):
    batch = submitted(api, 20, rubric="essay", baseline="auto")
    made = batch["baseline"]["calibration"]
    assert batch["baseline"] == {"mode": "auto", "state": "making", "calibration": made, "reason": None}
    shown = api("GET", f"/v1/rubrics/essay/calibrations/{made}").json
    assert (shown["state"], shown["examples"], shown["cohort"]) == ("queued", 0, 20)
    with database.session() as session:
        calibrations.claim(session, uuid.UUID(made), "w", 60)
        calibrations.finish(session, uuid.UUID(made), "w", Made("r", b"head", "0" * 64, {"model": "m"}))
        baselines.settle(session)
    assert api("GET", f"/v1/batches/{batch['id']}").json["baseline"]["state"] == "used"
    assert api("GET", "/v1/rubrics/essay").json["calibration"] == made
    again = submitted(api, 20, rubric="essay", baseline="auto")["baseline"]
    assert (again["state"], again["calibration"]) == ("skipped", None) and made in again["reason"]


def test_nineteen_good_texts_make_no_baseline_and_the_answer_says_so(api, rubric):
    batch = submitted(api, items=[*items(19), {"text": ""}], rubric="essay", baseline="auto")
    assert (batch["baseline"]["state"], batch["counts"]["queued"]) == ("skipped", 19)
    assert "needs 20" in batch["baseline"]["reason"]


@pytest.mark.parametrize("which", ["default", {"criteria": OWN["criteria"]}])
def test_a_rubric_that_nobody_could_switch_back_gets_no_baseline(api, database, which):
    before = stored(database)
    answer = api("POST", "/v1/batches", json={"items": items(20), "rubric": which, "baseline": "auto"})
    assert (answer.status_code, answer.json["errors"][0]["loc"]) == (422, ["baseline"])
    assert "POST /v1/rubrics" in answer.json["detail"]
    assert stored(database) == before


def test_the_document_shows_what_a_row_may_be(app):
    schemas = app.test_client().get("/openapi.json").json["components"]["schemas"]
    row = schemas["NewBatchBody"]["properties"]["items"]["items"]
    assert set(row["properties"]) == {"text", "external_id", "prompt", "metadata"}
    assert "SubmittedBatch" in schemas and "BatchBody" in schemas
