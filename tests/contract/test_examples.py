"""The examples of the document are sent as they stand, and what comes is as it says."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from api import examples
from tests.contract.conftest import Served, operations
from tests.contract.schemas import wrong_with

SENT = [
    (name, kind, title) for name, kinds in examples.REQUESTS.items() for kind, each in kinds.items() for title in each
]


@pytest.fixture(scope="module")
def named(served: Served) -> Served:
    """An API in which the rubric of the examples exists."""
    body = {"name": examples.NAME, "criteria": examples.CRITERIA}
    assert served("POST", "/v1/rubrics", json=body).status_code == 201
    return served


def graded_job(served: Served) -> str:
    job = served("POST", "/v1/jobs", json={"text": examples.ESSAY}).json()
    deadline = time.monotonic() + 120
    while job["state"] != "succeeded":
        assert time.monotonic() < deadline, job
        job = served("GET", f"/v1/jobs/{job['id']}", headers={"Prefer": "wait=2"}).json()
    return str(job["id"])


def lease_of(served: Served) -> tuple[str, str]:
    """A job in hand, and its lease."""
    graded_job(served)
    taken = served("POST", "/v1/reviews/lease", json={}).json()
    return taken["job"]["id"], taken["lease"]["id"]


def real_ids(served: Served, name: str, body: Any) -> dict[str, str]:
    """For each id of the examples that a request names, that of something which is there."""
    if name in ("renew_lease", "release_lease"):
        return dict(zip((examples.JOB_ID, examples.LEASE_ID), lease_of(served), strict=True))
    found = {examples.JOB_ID: graded_job(served)}
    if examples.BATCH_ID in str(body):
        found[examples.BATCH_ID] = served("POST", "/v1/batches", json={"items": examples.ITEMS}).json()["id"]
    return found


@pytest.mark.parametrize(("name", "kind", "title"), SENT)
def test_an_example_is_answered_with_success_and_as_the_document_says(named, name, kind, title):
    document = named.document
    method, path, operation = operations(document)[name]
    body = operation["requestBody"]["content"][kind]["examples"][title]["value"]
    text, at = json.dumps(body), path.replace("{rubric}", examples.NAME).replace("{job_id}", examples.JOB_ID)
    for theirs, real in real_ids(named, name, body).items():
        text, at = text.replace(theirs, real), at.replace(theirs, real)
    answer = named(method, at, **as_sent(kind, json.loads(text)))
    documented = [status for status in operation["responses"] if status.startswith("2")]
    assert str(answer.status_code) in documented, answer.text
    schema = operation["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
    assert wrong_with(document, schema, answer.json()) == []


def as_sent(kind: str, body: Any) -> dict[str, Any]:
    if kind == "application/json":
        return {"json": body}
    if kind != "multipart/form-data":
        return {"content": body.encode(), "headers": {"Content-Type": kind}}
    fields = dict(body)
    return {"files": {"file": ("essay.txt", fields.pop("file").encode())}, "data": fields}
