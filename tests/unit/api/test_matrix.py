"""Every route of the app by every scope, and by a stranger: a route that is added later is tested by being there.

A route that takes a body, or has a new kind of id in its address, must be told to this test: it fails until then.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from api.auth import BY_ITSELF, OPEN
from db.tenant import SCOPES
from tests.unit.api.conftest import Api, end_jobs
from tests.unit.api.test_reviews import result

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ETA = re.compile(r'"eta_seconds":[^,]+')  # a guess that moves
NOBODY = "00000000-0000-7000-8000-000000000000"
# What each route needs to come as far as its first look at the database. Sent to nothing that exists, or to one's own.
BODIES: dict[str, dict[str, Any]] = {
    "jobs.submit_job": {"json": {"text": "a"}},
    "jobs.retry_failed_jobs": {"json": {}},
    "batches.submit_batch": {"json": {"items": [{"text": "a"}]}},
    "rubrics.make_rubric": {"json": {"name": "mine", "criteria": [{"name": "Structure", "measures": "Structure"}]}},
    "rubrics.import_rubrics": {"data": "Rubric Name,Criteria Name\n", "content_type": "text/csv"},
    "rubrics.calibrate": {"json": {"examples": [{"text": "a", "scores": {"Structure": 1}}] * 10}},
    "reviews.review_job": {"json": {"scores": {"Structure": 1}}},
    "reviews.appeal_job": {"json": {"reason": "a"}},
    "reviews.lease_next": {"json": {}},
    "reviews.renew_lease": {"json": {"lease": NOBODY}},
    "reviews.release_lease": {"json": {"lease": NOBODY}},
    "webhooks.set_webhook_endpoint": {"json": {"url": "https://lms.example/hook"}},
}
# The scope of each route, beside admin, which may everything. New ones are read from here: say what you mean.
WRITES = "submit"
SCOPE: dict[str, str] = {
    "audit.read_audit": "admin",
    "running.metrics": "admin",
    "reviews.review_job": "review",
    "reviews.lease_next": "review",
    "reviews.renew_lease": "review",
    "reviews.release_lease": "review",
    "webhooks.read_webhooks": "admin",
    "webhooks.rotate_webhook_secret": "admin",
    "webhooks.set_webhook_endpoint": "admin",
}


@dataclass(frozen=True)
class Route:
    method: str
    rule: str
    endpoint: str

    @property
    def names(self) -> list[str]:
        return [part.partition(">")[0] for part in self.rule.split("<")[1:]]

    def at(self, ids: dict[str, str]) -> str:
        address = self.rule
        for name in self.names:
            address = address.replace(f"<{name}>", ids[name])
        return address


def closed_routes(app) -> list[Route]:
    rules = [rule for rule in app.url_map.iter_rules() if not rule.rule.startswith("/docs/")]
    return [
        Route(method, rule.rule, rule.endpoint)
        for rule in rules
        for method in sorted(rule.methods & set(METHODS))
        if rule.rule not in (*OPEN, *BY_ITSELF)
    ]


def ask(api: Api, route: Route, ids: dict[str, str]):
    return api(route.method, route.at(ids), **BODIES.get(route.endpoint, {}))


@pytest.fixture
def owned(api, database) -> dict[str, str]:
    """A row of one's own for each kind of id in an address."""
    told = {"text": uuid.uuid4().hex, "callback_url": "https://lms.example/hook"}
    job = api("POST", "/v1/jobs", json=told).json["id"]
    end_jobs(database, [job], result())
    deliveries = api("GET", "/v1/webhooks/deliveries").json["items"]
    name = f"r{uuid.uuid4().hex[:12]}"
    criteria = [{"name": "Structure", "measures": "Structure"}]
    api("POST", "/v1/rubrics", json={"name": name, "criteria": criteria})
    examples = [{"text": f"{n}", "scores": {"Structure": n}} for n in range(10)]
    made = api("POST", f"/v1/rubrics/{name}/calibrations", json={"examples": examples}).json["id"]
    batch = api("POST", "/v1/batches", json={"items": [{"text": "a"}]}).json["id"]
    ids = {"job_id": job, "rubric": name, "calibration_id": made, "batch_id": batch}
    return {**ids, "delivery_id": next(each["id"] for each in deliveries if each["job_id"] == job)}


def test_what_is_open_is_what_we_mean_to_be_open(app):
    assert set(OPEN) == {"/healthz", "/readyz", "/openapi.json", "/docs", "/health", "/rubric-info"}
    assert len(closed_routes(app)) >= 35


def test_no_route_answers_without_a_key(app, owned):
    stranger = app.test_client()
    for route in closed_routes(app):
        answer = stranger.open(route.at(owned), method=route.method, **BODIES.get(route.endpoint, {}))
        assert (answer.status_code, answer.json["code"]) == (401, "unauthorized"), route
        wrong = Api(stranger, "gl_000000000000_x")
        assert ask(wrong, route, owned).status_code == 401, route


def test_each_route_takes_its_scope_and_no_other(app, make_key):
    nothing = {
        "job_id": NOBODY,
        "rubric": "nothing",
        "calibration_id": NOBODY,
        "batch_id": NOBODY,
        "delivery_id": NOBODY,
    }
    for scope in SCOPES:
        mine = Api(app.test_client(), make_key(scope))
        for route in closed_routes(app):
            usual = "read" if route.method == "GET" else WRITES
            needed = SCOPE.get(route.endpoint, usual)
            answer = ask(mine, route, nothing)
            if scope in (needed, "admin"):
                assert answer.status_code not in (401, 403, 415, 500), (route, scope, answer.json)
                # 422 in place of an answer of the route itself would prove nothing.
                allowed = route.endpoint in ("rubrics.import_rubrics",)
                assert answer.status_code != 422 or allowed, (route, answer.json)
            else:
                assert (answer.status_code, answer.json["code"]) == (403, "forbidden"), (route, scope)


def test_a_browser_may_ask_of_every_route_without_a_key_whether_it_may_send(app):
    stranger = app.test_client()
    for route in closed_routes(app):
        at = route.at(dict.fromkeys(route.names, NOBODY))
        for asked in ({}, {"content_type": "multipart/form-data; boundary=x"}):
            answer = stranger.options(at, headers={"Origin": "https://lms.example"}, **asked)
            assert (answer.status_code, route.method in answer.headers["Allow"]) == (200, True), (route, answer.json)


def test_every_route_that_takes_json_says_in_the_same_way_what_is_none(app, api, owned, make_key):
    taking = [route for route in closed_routes(app) if "json" in BODIES.get(route.endpoint, {})]
    assert len(taking) >= 11
    other = Api(app.test_client(), make_key("read"))
    for route in taking:
        for kind, body, status, code in (
            ("application/json", "{", 400, "malformed"),
            ("application/json", "", 400, "malformed"),
            ("application/json", "[]", 422, "invalid_request"),
            ("text/plain", '{"text": "a"}', 415, "unsupported_media_type"),
        ):
            sent = {"data": body, "content_type": kind}
            answer = api(route.method, route.at(owned), **sent)
            assert (answer.status_code, answer.json["code"]) == (status, code), (route, kind, body)
            assert other(route.method, route.at(owned), **sent).status_code == 403, (route, kind, body)


def test_to_another_tenant_nothing_is_there(app, owned, make_key):
    """What is another's and what is nobody's get the same answer, to the last byte but the request's id."""
    stranger, other = app.test_client(), make_key()
    for route in closed_routes(app):
        if not route.names:
            continue
        for nobodys in ({**owned, name: _nobodys(name)} for name in route.names):
            theirs = ask(Api(stranger, other), route, owned)
            nothing = ask(Api(stranger, other), route, nobodys)
            assert (theirs.status_code, nothing.status_code) == (404, 404), (route, theirs.json)
            assert _said(theirs, owned) == _said(nothing, nobodys), route


def test_a_stranger_lists_and_counts_nothing_of_others(app, owned, make_key):
    other = Api(app.test_client(), make_key())
    mine = set(owned.values())
    for route in closed_routes(app):
        if not route.names and route.method == "GET":
            seen = ask(other, route, {}).get_data(as_text=True)
            assert not any(each in seen for each in mine), route
    for at in ("/v1/jobs", "/v1/batches", "/v1/reviews/queue", "/v1/audit"):
        assert other("GET", at).json["items"] == [], at
    queues = other("GET", "/v1/queues").json["items"]
    assert sum(queue["waiting"] + queue["running"] + queue["held"] for queue in queues) == 0


def test_an_empty_value_in_the_query_of_a_list_says_nothing(app, api, owned):
    """Also all of them at once, as the promise writes them: `/v1/jobs?state=&batch=&external_id=&rubric=&limit=&cursor=`."""
    asked = 0
    for path, item in api("GET", "/openapi.json").json["paths"].items():
        names = [each["name"] for each in item.get("get", {}).get("parameters", []) if each["in"] == "query"]
        if "cursor" not in names:
            continue
        at = path.format(**owned)
        for query in [*([name] for name in names), names]:
            plain, empty = api("GET", at), api("GET", f"{at}?{'&'.join(f'{name}=' for name in query)}")
            assert empty.status_code == 200, (path, query, empty.text)
            assert ETA.sub("", empty.text) == ETA.sub("", plain.text), (path, query)
            asked += 1
        assert api("GET", f"{at}?colour=").status_code == 422, path
    assert asked > 20


def test_a_cursor_of_another_tenant_leads_to_nothing_of_theirs(app, api, make_key, database):
    jobs = [api("POST", "/v1/jobs", json={"text": "a"}).json["id"] for _ in range(3)]
    end_jobs(database, jobs, result())
    for at in ("/v1/jobs", "/v1/reviews/queue"):
        cursor = api("GET", f"{at}?limit=1").json["next"]
        assert Api(app.test_client(), make_key())("GET", f"{at}?cursor={cursor}").json["items"] == []


def test_another_tenants_batch_can_not_be_a_cohort_and_their_rubric_grades_nothing(app, owned, make_key):
    other = Api(app.test_client(), make_key())
    criteria = [{"name": "Structure", "measures": "Structure"}]
    other("POST", "/v1/rubrics", json={"name": "mine", "criteria": criteria})
    for batch in (owned["batch_id"], NOBODY):
        cohort = other("POST", "/v1/rubrics/mine/calibrations", json={"cohort": {"batch": batch}})
        assert (cohort.status_code, cohort.json["detail"]) == (422, "The cohort: there is no batch with this id.")
    job = other("POST", "/v1/jobs", json={"text": "a", "rubric": owned["rubric"]})
    assert (job.status_code, job.json["code"]) == (422, "invalid_request")
    assert other("POST", "/v1/reviews/lease", json={}).json == {"lease": None, "job": None}


def _nobodys(name: str) -> str:
    return "nobodys-rubric" if name == "rubric" else NOBODY


def _said(answer, ids: dict[str, str]) -> dict[str, Any]:
    body = {name: value for name, value in answer.json.items() if name != "request_id"}
    return {name: str(value).replace(ids["rubric"], "*") for name, value in body.items()}
