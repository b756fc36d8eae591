"""A class handed in at once, on a whole running stack, as a teacher does it."""

from __future__ import annotations

import time

import pytest

from tests.integration.test_calibration import texts

pytestmark = pytest.mark.stack
OWN = [{"name": "Clarity"}, {"name": "Structure", "min": 0, "max": 6, "step": 1}]


@pytest.fixture(scope="module")
def client(stack):
    with stack.client() as client:
        yield client


def make_rubric(client, name):
    return client._call("POST", "/v1/rubrics", json={"name": name, "criteria": OWN})["name"]


def ended(client, batch):
    for _ in range(900):
        shown = client.batch(batch["id"])
        if shown["state"] != "running":
            return shown
        time.sleep(0.1)
    raise AssertionError(f"the batch did not end: {shown}")


def test_a_class_is_graded_by_the_baseline_of_its_own_texts(client):
    rubric = make_rubric(client, "class")
    items = [{"text": text, "external_id": f"s-{n}"} for n, (text, _) in enumerate([*texts()][:24])]
    batch = client.submit_batch([*items, {"text": ""}], rubric=rubric, prompt="Write.", baseline="auto")
    assert [each["row"] for each in batch["rejected"]] == [25]
    assert (batch["counts"]["queued"], batch["baseline"]["state"]) == (24, "making")
    shown = ended(client, batch)
    assert (shown["state"], shown["counts"]["succeeded"], shown["eta_seconds"]) == ("finished", 24, 0)
    assert (shown["baseline"]["state"], shown["baseline"]["reason"]) == ("used", None)
    jobs = list(client.jobs(batch=batch["id"], limit=10))
    assert {job["scored_by"]["calibration"] for job in jobs} == {shown["baseline"]["calibration"]}
    assert {job["external_id"] for job in jobs} == {item["external_id"] for item in items}
    # The calibration has read the texts; the jobs use its vectors.
    assert {job["timings"]["tokenize_ms"] for job in jobs} == {0.0}
    assert {job["degraded"] for job in jobs} == {False}


def test_a_batch_that_is_cancelled_ends_at_once_and_its_worker_goes_on(client):
    items = [{"text": f"{text} {n}"} for n in range(10) for text, _ in texts()]
    batch = client.submit_batch(items)
    shown = client.cancel_batch(batch["id"])
    assert shown["state"] == "cancelled" and shown["counts"]["cancelled"] > len(items) / 2
    assert client.get(client.submit("Is anybody still there? Somebody is.")["id"], wait=30)["state"] == "succeeded"
    assert client.batch(batch["id"])["counts"] == shown["counts"]
