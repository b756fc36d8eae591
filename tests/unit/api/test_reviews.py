"""People decide beside the machine, see who decided what, and never work on the same job at once."""

from __future__ import annotations

import threading
import uuid

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from sqlalchemy import text

from bench.plans import recorded
from db import retention
from tests.unit.api.conftest import Api, end_jobs
from tests.unit.db.test_retention import age

CRITERIA = ["Structure", "Clarity", "Relevance", "Academic_Writing"]


def result(points=50.0, width=0.2, degraded=False, advisories=(), rubric=CRITERIA):
    scores = [
        {"criterion": name, "score": points, "min": 0, "max": 100, "interval": [0, 100], "confidence": 0.9,
         "level": None, "feedback": []} for name in rubric
    ]  # fmt: skip
    return {
        "scores": scores, "overall": {"score": points, "min": 0, "max": 100, "interval": [0, 100 * width]},
        "advisories": [{"code": code, "message": code} for code in advisories], "scored_by": {}, "degraded": degraded,
        "review_reasons": [],
    }  # fmt: skip


@pytest.fixture
def graded(api, database):
    def graded(made=None, **fields) -> str:
        job = api("POST", "/v1/jobs", json={"text": f"a {uuid.uuid4().hex}", **fields}).json["id"]
        end_jobs(database, [job], made or result())
        return job

    return graded


def decide(api, job, scores=None, **options):
    body = {"scores": scores or {"Structure": 80}, **options.pop("body", {})}
    return api("PUT", f"/v1/jobs/{job}/review", json=body, **options)


def queue(api, query=""):
    return [job["id"] for job in api("GET", f"/v1/reviews/queue{query}").json["items"]]


def test_a_review_stands_beside_the_machines_scores(api, app, graded):
    job = graded()
    answer = decide(api, job, {"Structure": 90, "Clarity": 70}, body={"comment": "Well ordered.", "reviewer": "t-7"})
    assert answer.status_code == 200
    shown = api("GET", f"/v1/jobs/{job}").json
    assert shown == answer.json and [s["score"] for s in shown["scores"]] == [50.0] * 4
    review = shown["review"]
    assert (review["scores"], review["comment"], review["reviewer"]) == (
        {"Structure": 90, "Clarity": 70}, "Well ordered.", "t-7",
    )  # fmt: skip
    assert review["overall"] == 65.0 and review["at"].endswith("Z")
    assert review["who"] == str(app.extensions["gradeline"].keys.caller(api.key).key_id)


@pytest.mark.parametrize(("weight", "expected"), [({"weight": 0}, 50.0), ({}, 75.0), ({"weight": 3}, 87.5)])
def test_a_persons_overall_score_weighs_criteria_as_the_rubric_does(api, graded, weight, expected):
    names = ["Structure", "Clarity"]
    criteria = [{"name": "Structure", "measures": "Structure", **weight}, {"name": "Clarity", "measures": "Clarity"}]
    job = graded(result(rubric=names), rubric={"criteria": criteria})
    review = decide(api, job, {"Structure": 100, "Clarity": 50}).json["review"]
    assert review["overall"] == expected


def test_every_change_is_kept_with_who_and_when(api, graded, app, make_key):
    job, tenant = graded(), app.extensions["gradeline"].keys.caller(api.key).tenant_id
    other = Api(app.test_client(), make_key("review", tenant=tenant))
    decide(api, job, {"Structure": 10})
    decide(other, job, {"Structure": 20})
    api("POST", f"/v1/jobs/{job}/appeal", json={"reason": "My third paragraph was not read."})
    items = api("GET", f"/v1/jobs/{job}/reviews").json["items"]
    assert [each["what"] for each in items] == ["appeal", "review", "review"]
    assert [each["scores"] for each in items] == [None, {"Structure": 20}, {"Structure": 10}]
    assert items[0]["comment"].startswith("My third") and items[1]["who"] != items[2]["who"]
    assert {line["what"] for line in api("GET", "/v1/audit").json["items"]} == {"reviewed", "appealed"}


def test_who_was_second_is_told_so_and_changes_nothing(api, graded):
    job = graded()
    tag = api("GET", f"/v1/jobs/{job}").headers["ETag"]
    assert decide(api, job, {"Structure": 10}, headers={"If-Match": tag}).status_code == 200
    second = decide(api, job, {"Structure": 20}, headers={"If-Match": tag})
    assert (second.status_code, second.json["code"]) == (412, "precondition_failed")
    assert api("GET", f"/v1/jobs/{job}").json["review"]["scores"] == {"Structure": 10}
    now = api("GET", f"/v1/jobs/{job}").headers["ETag"]
    assert decide(api, job, headers={"If-Match": f'"other", W/{now}'}).status_code == 200
    assert decide(api, job, headers={"If-Match": "*"}).status_code == 200


def test_the_tag_of_a_reviews_answer_is_good_for_the_next_review(api, graded):
    job = graded()
    first = decide(api, job, {"Structure": 0.5, "Clarity": 1e-7, "Relevance": -0.0}, body={"comment": "Too short."})
    assert api("GET", f"/v1/jobs/{job}").headers["ETag"] == first.headers["ETag"]
    second = decide(api, job, {"Structure": 20}, headers={"If-Match": first.headers["ETag"]})
    assert second.status_code == 200
    appealed = api("POST", f"/v1/jobs/{job}/appeal", json={"reason": "a"})
    assert decide(api, job, headers={"If-Match": appealed.headers["ETag"]}).status_code == 200
    assert decide(api, job, headers={"If-Match": second.headers["ETag"]}).status_code == 412


def test_of_racing_teachers_with_the_same_copy_one_is_first(api, graded, app):
    job, answers, start = graded(), [], threading.Barrier(6)
    tag = api("GET", f"/v1/jobs/{job}").headers["ETag"]

    def teacher(points):
        start.wait(timeout=60)
        answers.append(decide(Api(app.test_client(), api.key), job, {"Structure": points}, headers={"If-Match": tag}))

    threads = [threading.Thread(target=teacher, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5
    assert len(api("GET", f"/v1/jobs/{job}/reviews").json["items"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {}, {"scores": {}}, {"scores": {"Nothing": 1}}, {"scores": {"Structure": 101}}, {"scores": {"Structure": -1}},
        {"scores": {"Structure": "80"}}, {"scores": {"Structure": True}}, {"scores": {"Structure": 80}, "comment": ""},
        {"scores": {"Structure": 80}, "comment": "a\0"}, {"scores": {"Structure": 80}, "other": 1},
    ],
)  # fmt: skip
def test_what_is_not_on_the_rubric_is_refused(api, graded, body):
    job = graded()
    answer = api("PUT", f"/v1/jobs/{job}/review", json=body)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")
    assert api("GET", f"/v1/jobs/{job}").json["review"] is None


def test_only_scores_can_be_reviewed(api):
    job = api("POST", "/v1/jobs", json={"text": "a"}).json["id"]
    for answer in (decide(api, job), api("POST", f"/v1/jobs/{job}/appeal", json={"reason": "a"})):
        assert (answer.status_code, answer.json["code"]) == (409, "conflict")


def test_the_queue_begins_with_what_most_needs_a_person(api, graded):
    plain, wide, remarked = graded(), graded(result(width=0.9)), graded(result(advisories=["off_topic"]))
    degraded, appealed = graded(result(degraded=True)), graded()
    api("POST", f"/v1/jobs/{appealed}/appeal", json={"reason": "a"})
    expected = [appealed, degraded, remarked, wide, plain]
    assert queue(api) == expected
    first = api("GET", "/v1/reviews/queue?limit=2").json
    second = api("GET", f"/v1/reviews/queue?limit=2&cursor={first['next']}").json
    third = api("GET", f"/v1/reviews/queue?limit=2&cursor={second['next']}").json
    assert [j["id"] for page in (first, second, third) for j in page["items"]] == expected and third["next"] is None
    decide(api, degraded)
    assert queue(api) == [appealed, remarked, wide, plain]
    assert api("GET", "/v1/reviews/queue?cursor=!!").json["code"] == "invalid_request"


def test_an_appeal_brings_a_reviewed_job_back_until_it_is_reviewed_again(api, graded):
    job, other = graded(), graded(result(degraded=True))
    decide(api, job)
    assert queue(api) == [other]
    api("POST", f"/v1/jobs/{job}/appeal", json={"reason": "a"})
    assert queue(api) == [job, other]
    decide(api, job)
    assert queue(api) == [other]


def test_an_open_appeal_is_seen_with_its_reason_wherever_the_job_is_and_by_who_had_read_it_before(api, graded):
    job = graded()
    before = api("GET", f"/v1/jobs/{job}")
    assert before.json["appeal"] is None
    answer = api("POST", f"/v1/jobs/{job}/appeal", json={"reason": "My second page was not read."})
    now = api("GET", f"/v1/jobs/{job}")
    assert now.json == answer.json and now.headers["ETag"] == answer.headers["ETag"] != before.headers["ETag"]
    assert now.json["appeal"]["reason"] == "My second page was not read." and now.json["appeal"]["at"].endswith("Z")
    refused = decide(api, job, headers={"If-Match": before.headers["ETag"]})
    assert (refused.status_code, refused.json["code"]) == (412, "precondition_failed") and queue(api) == [job]
    shown = [api("GET", "/v1/reviews/queue").json["items"][0], api("GET", "/v1/jobs").json["items"][0]]
    shown.append(api("POST", "/v1/reviews/lease", json={}).json["job"])
    assert [each["appeal"] for each in shown] == [now.json["appeal"]] * 3
    reviewed = decide(api, job, headers={"If-Match": now.headers["ETag"]})
    assert (reviewed.status_code, reviewed.json["appeal"]) == (200, None)
    assert api("GET", f"/v1/jobs/{job}").json == reviewed.json


def test_of_several_appeals_the_last_one_is_shown(api, graded):
    job = graded()
    for reason in ("first", "second"):
        api("POST", f"/v1/jobs/{job}/appeal", json={"reason": reason})
    assert api("GET", f"/v1/jobs/{job}").json["appeal"]["reason"] == "second"
    decide(api, job)
    api("POST", f"/v1/jobs/{job}/appeal", json={"reason": "third"})
    assert api("GET", f"/v1/jobs/{job}").json["appeal"]["reason"] == "third"


def test_a_list_of_appeals_is_read_in_as_many_statements_as_one(api, graded, app):
    def statements(limit):
        with recorded(app.extensions["gradeline"].database.engine) as seen:
            assert len(api("GET", f"/v1/jobs?limit={limit}").json["items"]) == limit
        return sum("review" in statement for statement, _ in seen)  # dispatch goes on in its own thread meanwhile

    for _ in range(5):
        api("POST", f"/v1/jobs/{graded()}/appeal", json={"reason": "a"})
    assert statements(5) == statements(1) == 1


@pytest.fixture
def regraded(api, database):
    """Grades the jobs of the default rubric again; the new ones, in the order of their submissions."""

    def regraded(made=None) -> list[str]:
        batch = api("POST", "/v1/rubrics/default/regrade").json["id"]
        jobs = [job["id"] for job in api("GET", f"/v1/jobs?batch={batch}&limit=200").json["items"]][::-1]
        end_jobs(database, jobs, made or result())
        return jobs

    return regraded


def leased(api):
    return api("POST", "/v1/reviews/lease", json={}).json["job"]


def test_a_regrade_brings_each_text_into_the_queue_once_and_none_that_was_reviewed(api, graded, regraded):
    first = [graded() for _ in range(10)]
    for job in first[:2]:
        decide(api, job)
    second = regraded()
    assert sorted(queue(api)) == sorted(second[2:])
    third = regraded(result(width=0.9))
    assert sorted(queue(api)) == sorted(third[2:]) == sorted(queue(api, "?rubric=default"))
    taken = []
    while job := leased(api):
        taken.append(job["id"])
    assert sorted(taken) == sorted(third[2:])
    assert [bool(api("GET", f"/v1/jobs/{job}").json["review"]) for job in first] == [True] * 2 + [False] * 8


def test_an_appeal_brings_its_own_job_back_whatever_a_regrade_has_made(api, graded, regraded):
    first = graded()
    decide(api, first)
    [second] = regraded()
    assert queue(api) == []
    api("POST", f"/v1/jobs/{first}/appeal", json={"reason": "a"})
    assert queue(api) == [first] and leased(api)["id"] == first
    decide(api, first)
    assert queue(api) == []
    api("POST", f"/v1/jobs/{second}/appeal", json={"reason": "a"})
    assert queue(api) == [second]


def test_while_somebody_has_a_text_in_hand_its_regrade_is_handed_to_nobody(api, graded, regraded):
    first = graded()
    lease = api("POST", "/v1/reviews/lease", json={}).json["lease"]
    [second] = regraded()
    assert queue(api) == [] and leased(api) is None
    api("POST", f"/v1/reviews/lease/{first}/release", json={"lease": lease["id"]})
    assert queue(api) == [second]
    api("DELETE", f"/v1/jobs/{second}")
    assert queue(api) == [first]


def test_two_graders_never_get_the_same_job(api, graded, app):
    jobs, taken, start = {graded() for _ in range(12)}, [], threading.Barrier(4)

    def grader():
        mine = Api(app.test_client(), api.key)
        start.wait(timeout=60)
        while (body := mine("POST", "/v1/reviews/lease", json={}).json)["job"]:
            taken.append(body["job"]["id"])

    threads = [threading.Thread(target=grader) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert sorted(taken) == sorted(jobs) and queue(api) == []


def test_a_lease_is_renewed_given_back_and_runs_out(api, graded, database):
    job = graded()
    lease = api("POST", "/v1/reviews/lease", json={}).json["lease"]
    assert lease["job_id"] == job and queue(api) == []
    at = f"/v1/reviews/lease/{job}"
    wrong = api("POST", f"{at}/renew", json={"lease": str(uuid.uuid4())})
    assert (wrong.status_code, wrong.json["code"]) == (409, "conflict")
    assert api("POST", f"{at}/renew", json={"lease": lease["id"]}).json["until"] > lease["until"]
    assert api("POST", f"{at}/release", json={"lease": lease["id"]}).status_code == 200
    assert queue(api) == [job]
    again = api("POST", "/v1/reviews/lease", json={}).json["lease"]
    with database.session() as session:
        session.execute(text("UPDATE result SET leased_until = now() - interval '1 s' WHERE job_id = :id"), {"id": job})
    assert queue(api) == [job] and api("POST", f"{at}/renew", json={"lease": again["id"]}).status_code == 409


def test_a_lease_may_be_of_one_rubric(api, graded):
    body = {"name": "own", "criteria": [{"name": "Structure", "measures": "Structure"}]}
    api("POST", "/v1/rubrics", json=body)
    graded(result(degraded=True))
    mine = graded(result(rubric=["Structure"]), rubric="own")
    assert queue(api, "?rubric=own") == [mine]
    api("POST", "/v1/rubrics", json=body)  # what an earlier version has graded waits for a person all the same
    assert queue(api, "?rubric=own") == queue(api, "?rubric=own@1") == [mine] and queue(api, "?rubric=own@2") == []
    assert api("POST", "/v1/reviews/lease", json={"rubric": "own"}).json["job"]["id"] == mine
    assert api("POST", "/v1/reviews/lease", json={"rubric": "own"}).json == {"lease": None, "job": None}
    assert api("POST", "/v1/reviews/lease", json={"rubric": "none"}).json["code"] == "invalid_request"


def test_an_erasure_takes_words_points_and_names_and_leaves_who_and_when(api, graded):
    job = graded()
    decide(api, job, body={"comment": "private", "reviewer": "t-7"})
    api("POST", f"/v1/jobs/{job}/appeal", json={"reason": "private"})
    api("DELETE", f"/v1/jobs/{job}")
    assert api("GET", f"/v1/jobs/{job}").json["review"] is None and queue(api) == []
    items = api("GET", f"/v1/jobs/{job}/reviews").json["items"]
    assert len(items) == 2 and all(each["who"] and each["at"] for each in items)
    assert all(each[name] is None for each in items for name in ("scores", "comment", "reviewer"))
    assert decide(api, job).status_code == 409


def test_retention_of_texts_takes_an_appeals_reason_too(api, graded, database):
    job = graded()
    decide(api, job, body={"comment": "kept with the scores"})
    api("POST", f"/v1/jobs/{job}/appeal", json={"reason": "the student's words"})
    age(database, job)
    with database.session() as session:
        while retention.erase_texts(session, 30, 500):
            session.flush()
    assert api("GET", f"/v1/jobs/{job}").json["appeal"]["reason"] is None
    comments = [each["comment"] for each in api("GET", f"/v1/jobs/{job}/reviews").json["items"]]
    assert comments == [None, "kept with the scores"]


def test_agreement_is_scikit_learns_over_all_of_the_time_and_by_period(api, graded, database):
    api("POST", "/v1/rubrics", json={"name": "six", "criteria": [
        {"name": "Structure", "measures": "Structure", "min": 0, "max": 6, "step": 1}]})  # fmt: skip
    chance = np.random.default_rng(7)
    human = chance.integers(0, 7, 30)
    machine = np.clip(human + chance.integers(-2, 3, 30), 0, 6)
    for n, (one, other) in enumerate(zip(human, machine, strict=True)):
        job = graded(result(points=float(other), rubric=["Structure"]), rubric="six")
        decide(api, job, {"Structure": int(one)})
        if n < 10:
            with database.session() as session:
                session.execute(
                    text("UPDATE result SET reviewed_at = '2020-03-05T12:00Z' WHERE job_id = :id"), {"id": job}
                )
    body = api("GET", "/v1/rubrics/six/agreement?period=month").json

    def kappa(a, b):
        return cohen_kappa_score(a, b, labels=list(range(7)), weights="quadratic")

    figures = body["overall"]["Structure"]
    assert figures["n"] == 30 and figures["qwk"] == pytest.approx(kappa(human, machine), abs=1e-4)
    assert figures["pearson"] == pytest.approx(np.corrcoef(human, machine)[0, 1], abs=1e-4)
    assert figures["exact"] == pytest.approx((human == machine).mean(), abs=1e-4)
    old = body["periods"][0]
    assert old["begins"].startswith("2020-03-01") and old["criteria"]["Structure"]["n"] == 10
    assert old["criteria"]["Structure"]["qwk"] == pytest.approx(kappa(human[:10], machine[:10]), abs=1e-4)
    since = api("GET", "/v1/rubrics/six/agreement?since=2021-01-01T00:00:00Z").json
    assert since["overall"]["Structure"]["n"] == 20
    assert api("GET", "/v1/rubrics/six/agreement?since=2021-01-01").json["overall"] == since["overall"]
    for odd in ("0.5", "1609459200", "yesterday", ""):
        assert api("GET", f"/v1/rubrics/six/agreement?since={odd}").status_code == 422, odd
    assert api("GET", "/v1/rubrics/default/agreement").json == {
        "rubric": since["rubric"] | {"id": api("GET", "/v1/rubrics/default").json["id"], "name": "default"},
        "overall": {}, "periods": [],
    }  # fmt: skip


def test_scores_that_never_vary_have_no_kappa(api, graded):
    for _ in range(2):
        decide(api, graded(), {"Structure": 50})
    figures = api("GET", "/v1/rubrics/default/agreement").json["overall"]["Structure"]
    assert (figures["n"], figures["qwk"], figures["pearson"], figures["exact"]) == (2, None, None, 1.0)


def test_reviews_teach_a_rubric_in_one_call(api, graded, database):
    api("POST", "/v1/rubrics", json={"name": "taught", "criteria": [{"name": "Structure", "measures": "Structure"}]})
    jobs = [graded(result(rubric=["Structure"]), rubric="taught") for _ in range(11)]
    for n, job in enumerate(jobs[:9]):
        decide(api, job, {"Structure": n})
    few = api("POST", "/v1/rubrics/taught/calibrations", json={"from": "reviews"})
    assert (few.status_code, few.json["code"]) == (422, "invalid_request") and "here: 9" in few.json["detail"]
    for n, job in enumerate(jobs[9:]):
        decide(api, job, {"Structure": 50 + n})
    decide(api, jobs[0], {"Structure": 99})
    made = api("POST", "/v1/rubrics/taught/calibrations", json={"from": "reviews"})
    assert (made.status_code, made.json["examples"], made.json["cohort"]) == (202, 11, 0)
    with database.session() as session:
        found = session.scalars(
            text("SELECT scores->>'Structure' FROM example WHERE calibration_id = :id"), {"id": made.json["id"]}
        )
        assert sorted(map(float, found)) == [1, 2, 3, 4, 5, 6, 7, 8, 50, 51, 99]
    api("DELETE", f"/v1/jobs/{jobs[3]}")
    assert api("POST", "/v1/rubrics/taught/calibrations", json={"from": "reviews"}).json["examples"] == 10


def test_the_document_names_the_guard(app):
    operation = app.test_client().get("/openapi.json").json["paths"]["/v1/jobs/{job_id}/review"]["put"]
    assert "If-Match" in {parameter["name"] for parameter in operation["parameters"]}
    assert {"409", "412", "422", "429"} <= set(operation["responses"])
