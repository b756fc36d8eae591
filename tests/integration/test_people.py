"""People and old clients on a whole stack: real scores, real keys."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

SAMPLES = Path(__file__).parents[2] / "samples"
ORDER = ["Poor", "Fair", "Good", "Excellent"]


@pytest.fixture(scope="module")
def old(stack):
    with httpx.Client(base_url=stack.home.read()["url"], timeout=60) as http:
        yield http


def test_an_old_client_gets_the_levels_of_the_job_that_its_text_became(stack, old):
    levels = {}
    for name in ("town-strong.txt", "town-weak.txt"):
        answer = old.post("/llm/rubric-score", json={"student_submission": (SAMPLES / name).read_text()[:10_000]})
        assert answer.status_code == 200, answer.text
        with stack.client() as client:
            job = client.get(answer.headers["Location"].rpartition("/")[2])
        assert answer.json() == {s["criterion"]: s["level"] for s in job["scores"]}
        assert not job["degraded"] and job["scored_by"]["head"] == "default@2"
        levels[name] = sum(ORDER.index(level) for level in answer.json().values())
    assert levels["town-strong.txt"] > levels["town-weak.txt"]
    assert old.get("/health").json()["status"] == "healthy"


def reviewed(teacher) -> int:
    overall = teacher.get("/v1/rubrics/default/agreement").json()["overall"]
    return overall.get("Structure", {"n": 0})["n"]


def test_a_key_of_the_command_reviews_what_another_handed_in(stack):
    made = json.loads(
        stack.command("keys", "create", "teacher", "--scope", "review", "--scope", "read", "--json").stdout
    )
    with stack.client() as client:
        job = client.submit((SAMPLES / "phones-good.txt").read_text())
        client.wait_for([job["id"]], seconds=120)
    headers = {"Authorization": f"Bearer {made['key']}"}
    with httpx.Client(base_url=stack.home.read()["url"], headers=headers, timeout=60) as teacher:
        read = teacher.get(f"/v1/jobs/{job['id']}")
        before = reviewed(teacher)  # other tests review on this stack, too
        body = {"scores": {"Structure": 75}, "comment": "Clear."}
        at, guard = f"/v1/jobs/{job['id']}/review", {"If-Match": read.headers["ETag"]}
        assert teacher.put(at, json=body, headers=guard).json()["review"]["scores"] == {"Structure": 75}
        assert teacher.put(at, json=body, headers=guard).status_code == 412
        assert reviewed(teacher) == before + 1
        assert teacher.post("/v1/jobs", json={"text": "a"}).status_code == 403
