"""The audit says what was erased, when, and by whom; to nobody but the tenant's admin."""

from __future__ import annotations

from db import retention
from tests.unit.api.conftest import Api, end_jobs
from tests.unit.api.test_reviews import result
from tests.unit.db.test_retention import age


def test_an_erasure_by_request_names_the_key_that_asked(api, app):
    job = api("POST", "/v1/jobs", json={"text": "a", "external_id": "s-1"}).json["id"]
    api("DELETE", f"/v1/jobs/{job}")
    caller = app.extensions["gradeline"].keys.caller(api.key)
    page = api("GET", "/v1/audit").json
    assert page["next"] is None and len(page["items"]) == 1
    line = page["items"][0]
    assert (line["who"], line["what"], line["count"], line["subjects"]) == (str(caller.key_id), "erased", 1, [job])
    assert line["at"].endswith("Z") and "s-1" not in str(page)


def test_retention_leaves_a_line_too(api, database):
    job = api("POST", "/v1/jobs", json={"text": "a"}).json["id"]
    api("POST", f"/v1/jobs/{job}/cancel")
    age(database, job)
    with database.session() as session:
        while retention.erase_texts(session, 30, 500):
            session.flush()
    line = api("GET", "/v1/audit").json["items"][0]
    assert (line["who"], line["what"], line["subjects"]) == ("retention", "texts erased", [job])
    shown = api("GET", f"/v1/jobs/{job}").json
    assert shown["erased_at"] and api("POST", f"/v1/jobs/{job}/retry").json["code"] == "conflict"


def test_what_is_erased_twice_is_as_it_was_after_the_first_time(api):
    job = api("POST", "/v1/jobs", json={"text": "a", "external_id": "s-1"}).json["id"]
    first, tombstone = api("DELETE", f"/v1/jobs/{job}"), api("GET", f"/v1/jobs/{job}").json
    second = api("DELETE", f"/v1/jobs/{job}")
    assert (first.status_code, second.status_code, second.data) == (204, 204, b"")
    assert api("GET", f"/v1/jobs/{job}").json == tombstone and tombstone["erased_at"]
    assert [line["what"] for line in api("GET", "/v1/audit").json["items"]] == ["erased"]


def test_what_retention_has_left_can_still_be_erased_and_the_first_time_stays(api, database):
    job = api("POST", "/v1/jobs", json={"text": "a", "external_id": "s-1"}).json["id"]
    end_jobs(database, [job], result())
    age(database, job)
    with database.session() as session:
        while retention.erase_texts(session, 30, 500):
            session.flush()
    before = api("GET", f"/v1/jobs/{job}").json
    for _ in range(2):
        assert api("DELETE", f"/v1/jobs/{job}").status_code == 204
    after = api("GET", f"/v1/jobs/{job}").json
    assert (before["scores"] is None, after["scores"], after["external_id"]) == (False, None, None)
    assert before["erased_at"] == after["erased_at"]
    assert [line["what"] for line in api("GET", "/v1/audit").json["items"]] == ["erased", "texts erased"]


def test_the_audit_comes_page_by_page(api):
    ids = [api("POST", "/v1/jobs", json={"text": "a"}).json["id"] for _ in range(3)]
    for job in ids:
        api("DELETE", f"/v1/jobs/{job}")
    first = api("GET", "/v1/audit?limit=2").json
    rest = api("GET", f"/v1/audit?limit=2&cursor={first['next']}").json
    assert [line["subjects"][0] for line in (*first["items"], *rest["items"])] == ids[::-1] and rest["next"] is None
    assert api("GET", "/v1/audit?cursor=!!").json["code"] == "invalid_request"


def test_only_an_admin_of_the_tenant_reads_it(api, app, make_key):
    job = api("POST", "/v1/jobs", json={"text": "a"}).json["id"]
    api("DELETE", f"/v1/jobs/{job}")
    reader = Api(app.test_client(), make_key("read", "submit", "review"))
    assert reader("GET", "/v1/audit").json["code"] == "forbidden"
    assert Api(app.test_client(), make_key())("GET", "/v1/audit").json["items"] == []
