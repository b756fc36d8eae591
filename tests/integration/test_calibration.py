"""Teaching a rubric on a whole running stack, as a teacher does it."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from gradeline.stack.launch import client_of

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*.txt"))
pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def http(stack):
    key = (stack.home.path / "api-key").read_text().strip()
    url = client_of(stack.home).url
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        yield client


def texts():
    """Pieces of the sample essays: the more of an essay, the better the grade."""
    for sample in SAMPLES:
        words = sample.read_text().split()[:400]
        for share in (0.25, 0.5, 1.0):
            piece = " ".join(words[: max(5, int(share * len(words)))])
            yield piece, min(6, round(len(piece.split()) / 60))


def calibrated(http, path, body):
    begun = http.post(path, json=body)
    assert begun.status_code == 202, begun.text
    for _ in range(600):
        shown = http.get(begun.headers["Location"]).json()
        if shown["state"] in ("succeeded", "failed"):
            return shown
        time.sleep(0.1)
    raise AssertionError("the calibration did not end")


@pytest.fixture(scope="module")
def rubric(http):
    criteria = [
        {"name": "Length", "min": 0, "max": 6, "step": 1},  # nothing measures it: it has to be taught
        {"name": "Grammar", "measures": "grammar", "min": 1, "max": 5, "step": 0.5},
    ]
    return http.post("/v1/rubrics", json={"name": "taught", "prompt": "Write.", "criteria": criteria}).json()["name"]


@pytest.fixture(scope="module")
def taught(http, rubric):
    examples = [{"text": text, "scores": {"Length": grade}} for text, grade in texts()]
    return calibrated(http, f"/v1/rubrics/{rubric}/calibrations", {"examples": examples})


def test_a_calibration_tells_how_well_it_agrees_on_held_out_examples(taught):
    assert taught["state"] == "succeeded", taught["error"]
    assert (taught["examples"], taught["progress"], taught["active"]) == (len(SAMPLES) * 3, 1.0, False)
    figures = taught["agreement"]["Length"]
    assert figures["n"] == len(SAMPLES) * 3 and figures["qwk"] > 0.5
    assert taught["agreement_before"] == {}  # nothing could score it before
    assert 0.7 <= taught["coverage"] <= 1.0
    assert taught["baseline"]["submissions"] == len(SAMPLES) * 3


def test_an_active_calibration_scores_a_criterion_of_ones_own_and_a_regrade_needs_no_forward_pass(http, rubric, taught):
    path = f"/v1/rubrics/{rubric}/calibrations/{taught['id']}"
    assert http.post(f"{path}/activate").json()["active"]
    long, short = max(texts(), key=lambda t: t[1])[0], "Phones are bad. I like them not."
    scores = {}
    for text in (long, short):
        job = http.post("/v1/jobs", json={"text": text, "rubric": rubric}, headers={"Prefer": "wait=30"}).json()
        assert job["state"] == "succeeded", job
        assert job["scored_by"]["calibration"] == taught["id"]
        assert [s["criterion"] for s in job["scores"]] == ["Length", "Grammar"]
        scores[text] = job["scores"][0]["score"]
    assert scores[long] > scores[short] and scores[long] == int(scores[long])

    batch = http.post(f"/v1/rubrics/{rubric}/regrade").json()
    assert batch["counts"]["total"] == 2
    for _ in range(300):
        again = http.get("/v1/jobs", params={"batch": batch["id"]}).json()["items"]
        if all(job["state"] == "succeeded" for job in again):
            break
        time.sleep(0.1)
    assert sorted(job["scores"][0]["score"] for job in again) == sorted(scores.values())
    # Tokens are read and computed for neither: the vectors were kept.
    assert [job["timings"]["tokenize_ms"] for job in again] == [0.0, 0.0]


def test_a_cohort_of_ungraded_submissions_makes_a_baseline(http):
    http.post("/v1/rubrics", json={"name": "cohort", "criteria": [{"name": "Clarity"}]})
    cohort = [{"text": text} for text, _ in texts()][:24]
    shown = calibrated(http, "/v1/rubrics/cohort/calibrations", {"cohort": cohort})
    assert (shown["state"], shown["agreement"], shown["baseline"]["submissions"]) == ("succeeded", None, 24)
    assert http.post(f"/v1/rubrics/cohort/calibrations/{shown['id']}/activate").status_code == 200
    body = {"text": cohort[0]["text"], "rubric": "cohort"}
    job = http.post("/v1/jobs", json=body, headers={"Prefer": "wait=30"}).json()
    assert job["scored_by"]["calibration"] == shown["id"] and 0 <= job["scores"][0]["score"] <= 100
