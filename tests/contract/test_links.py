"""Every link of the document is followed: what was made is read, changed and ended by what its answer says."""

from __future__ import annotations

import gc
import re
import time
from typing import Any

import pytest

from api import examples
from api.links import LEASED, LINKS
from docs.write_openapi import served as document
from tests.contract.conftest import Served, operations
from tests.contract.exercise import load

EXPRESSION = re.compile(r"\{?\$response\.body#([\w/]+)\}?")
FOLLOWED = [
    (source, status, target)
    for source, (_, _, operation) in operations(document()).items()
    for status, response in operation["responses"].items()
    for target in response.get("links", {})
]
# What can't be done with a thing as it is then; all else is answered with success.
REFUSED = {
    ("submit_job", "200", "cancel_job"): 409,  # it has ended
    ("submit_job", "200", "retry_job"): 409,  # and has not failed
    ("submit_job", "202", "retry_job"): 409,
    ("submit_job", "202", "review_job"): 409,  # there are no scores yet
    ("submit_job", "202", "appeal_job"): 409,
    ("regrade", "202", "cancel_batch"): 409,  # there was nothing to grade again
    ("import_rubrics", "201", "calibrate"): 422,  # the examples grade more than it has
    ("calibrate", "202", "activate"): 409,  # nothing is fitted yet
    ("calibrate", "202", "read_report"): 409,
}


@pytest.fixture(scope="module")
def schema(served: Served):
    body = {"name": examples.NAME, "criteria": examples.CRITERIA}
    assert served("POST", "/v1/rubrics", json=body).status_code == 201
    return load(served.url, served.key)


@pytest.fixture(scope="module")
def every(served: Served) -> dict[str, Any]:
    return operations(served.document)


def ask(schema, every, name: str, **sent: Any) -> Any:
    """Sends a request, by default with the first example of its body; all of schemathesis' checks hold its answer."""
    method, path, operation = every[name]
    content = operation.get("requestBody", {}).get("content", {})
    if content and "body" not in sent:
        kind, shown = next(iter(content.items()))
        sent |= {"body": next(iter(shown["examples"].values()))["value"], "media_type": kind}
    case = schema[path][method].Case(**sent)
    return case.call_and_validate(headers=schema.config.headers_for(), timeout=60)


def graded(served: Served, **more: Any) -> dict[str, Any]:
    """A job that has ended."""
    job = served("POST", "/v1/jobs", json={"text": examples.ESSAY, **more}).json()
    deadline = time.monotonic() + 120
    while job["state"] != "succeeded":
        assert time.monotonic() < deadline, job
        job = served("GET", f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=2"}).json()
    return job


def begin(served: Served, schema, every, source: str, status: str) -> Any:
    """The answer that has the link, of something new."""
    waiting = {"text": examples.ESSAY, "device": "gpu"}  # nobody takes it
    if source == "submit_job":
        graded(served)  # its result is at hand: the same text again ends at once
        prefer = {"headers": {"Prefer": "wait=2"}} if status == "200" else {}
        body = {"text": examples.ESSAY} if prefer else waiting
        return ask(schema, every, source, body=body, media_type="application/json", **prefer)
    if source in ("cancel_job", "retry_job"):
        job = {"path_parameters": {"job_id": served("POST", "/v1/jobs", json=waiting).json()["id"]}}
        cancelled = ask(schema, every, "cancel_job", **job)
        return cancelled if source == "cancel_job" else ask(schema, every, source, **job)
    graded(served, callback_url=examples.HOOK)
    sent: dict[str, Any] = {}
    if source == "review_job":
        sent["path_parameters"] = {"job_id": graded(served)["id"]}
    elif source in ("regrade", "calibrate"):
        sent["path_parameters"] = {"rubric": examples.NAME}
    elif source == "submit_batch":
        body = {"items": examples.ITEMS, "device": "gpu"}
        sent |= {"body": body, "media_type": "application/json"}
    elif source in ("list_of_jobs", "list_of_batches", "list_webhook_deliveries", "review_queue", "read_audit"):
        sent["query"] = {"limit": 1}
        two_of_each(served)
    return ask(schema, every, source, **sent)


def two_of_each(served: Served) -> None:
    """So that the lists have a second page."""
    for _ in range(2):
        served("POST", "/v1/batches", json={"items": examples.ITEMS})
        job = graded(served, callback_url=examples.HOOK)["id"]
        served("POST", f"/v1/jobs/{job}/appeal", json={"reason": "Once more."})
        served("DELETE", f"/v1/jobs/{graded(served)['id']}")


def resolved(expression: str, body: Any) -> str:
    """What a link's expression stands for."""
    found = body
    for part in EXPRESSION.fullmatch(expression).group(1).strip("/").split("/"):
        found = found[int(part)] if isinstance(found, list) else found[part]
    assert isinstance(found, str), (expression, body)
    return found


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("source", "status", "target"), FOLLOWED)
def test_a_link_leads_to_an_answer(served, schema, every, source, status, target):
    answer = begin(served, schema, every, source, status)
    assert str(answer.status_code) == status, answer.text
    link = every[source][2]["responses"][status]["links"][target]
    places = {each["name"]: each["in"] for each in every[target][2]["parameters"]}
    sent: dict[str, Any] = {"path_parameters": {}, "query": {}}
    for name, expression in link["parameters"].items():
        sent["path_parameters" if places[name] == "path" else "query"][name] = resolved(expression, answer.json())
    if "requestBody" in link:
        body = {name: resolved(value, answer.json()) for name, value in link["requestBody"].items()}
        sent |= {"body": body, "media_type": "application/json"}
    found = ask(schema, every, target, **sent)
    gc.collect()
    refused = REFUSED.get((source, status, target))
    assert found.status_code == refused if refused else 200 <= found.status_code < 300, found.text


def test_the_links_of_the_table_are_those_of_the_document():
    told = {(source, status, each) for (source, status), leads in LINKS.items() for to, _ in leads for each in to}
    assert told <= set(FOLLOWED) and LEASED
