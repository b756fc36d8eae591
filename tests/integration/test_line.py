"""From an essay to a stored score, through everything that is real."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from pathlib import Path

import httpx
import psutil
import pytest
import redis

from gradeline.errors import ApiProblem
from gradeline.stack import leftovers, valkey
from gradeline.stack.launch import processes
from tests.waiting import until

SAMPLES = Path(__file__).parents[2] / "samples"
LISTED = json.loads((SAMPLES / "samples.json").read_text())


@pytest.fixture(scope="module")
def graded(stack):
    with stack.client() as client:
        ids = {
            each["file"]: client.submit((SAMPLES / each["file"]).read_text(), prompt=each["prompt"])["id"]
            for each in LISTED
        }
        done = client.wait_for(ids.values(), seconds=120)
    return {file: done[job] for file, job in ids.items()}


def scores(job):
    return {s["criterion"]: s["score"] for s in job["scores"]}


def test_every_sample_is_graded_with_all_that_the_api_promises(graded):
    for job in graded.values():
        assert job["state"] == "succeeded" and not job["degraded"] and job["error"] is None
        assert list(scores(job)) == ["Structure", "Clarity", "Relevance", "Academic_Writing"]
        for score in [*job["scores"], job["overall"]]:
            low, high = score["interval"]
            assert score["min"] <= low <= score["score"] <= high <= score["max"]
        assert job["scored_by"]["model"] == "all-MiniLM-L6-v2" and job["scored_by"]["head"] == "default@2"
        assert job["scored_by"]["text_coverage"] == 1.0
        times = job["timings"]
        assert all(times[k] > 0 for k in ("queue_ms", "tokenize_ms", "inference_ms", "persist_ms"))
        assert times["total_ms"] >= times["queue_ms"] + times["inference_ms"]


def test_strong_is_above_weak_on_every_criterion(graded):
    kinds = {each["file"]: each["kind"] for each in LISTED}
    strong = [scores(job) for file, job in graded.items() if kinds[file] == "strong"]
    weak = [scores(job) for file, job in graded.items() if kinds[file] == "weak"]
    for criterion in strong[0]:
        assert min(s[criterion] for s in strong) > max(w[criterion] for w in weak), criterion


def test_a_text_off_its_topic_is_low_on_relevance_and_says_so(graded):
    job = graded["town-off-topic.txt"]
    relevance = next(s for s in job["scores"] if s["criterion"] == "Relevance")
    assert relevance["level"] == "Poor"
    assert "off_topic" in {a["code"] for a in job["advisories"]} and job["needs_review"]


def test_orders_to_the_grader_are_reported(graded):
    assert "prompt_injection" in {a["code"] for a in graded["phones-injection.txt"]["advisories"]}


def test_the_same_text_has_the_same_scores(stack, graded):
    first = graded["phones-good.txt"]
    prompt = next(each["prompt"] for each in LISTED if each["file"] == "phones-good.txt")
    with stack.client() as client:
        job = client.submit((SAMPLES / "phones-good.txt").read_text(), prompt=prompt)
        again = client.wait_for([job["id"]])[job["id"]]
    assert scores(again) == scores(first) and again["overall"] == first["overall"]


def test_the_last_paragraph_of_twenty_thousand_words_changes_the_result(stack):
    body = ((SAMPLES / "patience-very-long.txt").read_text() + "\n") * 15
    body = body[:199_000] if len(body) > 199_000 else body
    ends = ["I was glad of it in the end, and I thanked him for his patience.", "xx yy zz 11 22 33"]
    with stack.client() as client:
        ids = [client.submit(f"{body}\n\n{end}")["id"] for end in ends]
        first, second = (client.wait_for(ids, seconds=120)[i] for i in ids)
    assert len(body.split()) > 19_000
    assert first["overall"]["score"] != second["overall"]["score"] or scores(first) != scores(second)


def test_a_result_is_found_by_its_id_after_the_stack_was_stopped_and_started(tmp_path_factory):
    from gradeline.stack.home import Home, free_port
    from tests.integration.conftest import Stack

    own = Stack(Home(tmp_path_factory.mktemp("restart").resolve()))
    environment = {**os.environ, "GRADELINE_ENGINE": "fake"}
    ports = "--port", str(free_port()), "--no-flower"
    own.command("up", "--detach", *ports, env=environment)
    try:
        with own.client() as client:
            job = client.submit("A short text for a stack that is stopped soon.")
            done = client.wait_for([job["id"]])[job["id"]]
        own.command("down")
        assert leftovers.find(own.home) == []
        own.command("up", "--detach", *ports, env=environment)
        with own.client() as client:
            assert client.get(job["id"]) == done
    finally:
        own.command("down")
    assert leftovers.find(own.home) == []


def test_no_student_text_is_in_the_broker_in_flower_or_in_a_log(stack):
    marker = f"marker{uuid.uuid4().hex}"
    with stack.client() as client:
        ids = [
            client.submit(f"A text with {marker} in it. " * 20, prompt=f"About {marker}", external_id=f"e{marker}")[
                "id"
            ]
        ]
        client.wait_for(ids)
        with pytest.raises(ApiProblem):
            client.submit(f"{marker}\0")
    assert marker not in everything_in(stack)

    def shown() -> str:
        return httpx.get(f"{stack.flower}/api/tasks", auth=flower_user(stack), timeout=10).text

    until(lambda: ids[0] in shown(), 30)  # events come together, every half second
    assert marker not in shown()
    for log in stack.home.logs.glob("*.log"):
        assert marker not in log.read_text(errors="replace"), log


def everything_in(stack) -> str:
    found = []
    with redis.Redis.from_url(valkey.url(stack.home, stack.home.read()["ports"]["valkey"])) as broker:
        for key in broker.scan_iter():
            found += [key, broker.dump(key) or b""]
    found.append((next(stack.home.valkey.rglob("*.aof*"))).read_bytes())
    return b" ".join(found).decode("latin-1")


def flower_user(stack):
    return "gradeline", stack.home.secret("flower")


def test_flower_asks_who_you_are_and_lists_two_workers_after_scaling(stack):
    assert httpx.get(f"{stack.flower}/api/workers", timeout=10).status_code == 401
    stack.command("scale", "worker-cpu=2")
    with stack.client() as client:
        names = {worker["name"] for worker in client.workers()}
        assert len(names) == 2
        ids = [
            client.submit(f"Text number {n} for two workers, long enough to be read. " * 30)["id"] for n in range(60)
        ]
        done = client.wait_for(ids, seconds=120)
    assert {job["state"] for job in done.values()} == {"succeeded"}
    assert {job["scored_by"]["worker"] for job in done.values()} == names
    listed = httpx.get(f"{stack.flower}/api/workers?refresh=1", auth=flower_user(stack), timeout=30).json()
    assert names <= set(listed)
    stack.command("scale", "worker-cpu=1")


def test_everything_is_graded_although_child_worker_and_broker_are_killed(stack):
    essay = (SAMPLES / "phones-good.txt").read_text()
    with stack.client() as client:
        ids = [client.submit(f"{essay} {n}")["id"] for n in range(100)]
        parent = processes(stack.home)["worker-cpu"][0]
        kill(client.workers()[0]["children"][0]["pid"])
        time.sleep(2)
        kill(parent)
        time.sleep(2)
        kill(processes(stack.home)["valkey"][0])
        done = client.wait_for(ids, seconds=200)
    assert {job["state"] for job in done.values()} == {"succeeded"}
    assert len(done) == 100


def test_the_database_comes_back_after_it_was_killed(stack):
    kill(processes(stack.home)["postgres"][0])
    with stack.client() as client:
        deadline = time.monotonic() + 60
        while True:
            try:
                job = client.submit("A text after the database was killed, which must be graded all the same.")
                break
            except ApiProblem as problem:
                assert problem.code == "unavailable"
                assert time.monotonic() < deadline
                time.sleep(0.5)
        assert client.wait_for([job["id"]], seconds=60)[job["id"]]["state"] == "succeeded"


def kill(pid: int) -> None:
    process = psutil.Process(pid)
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.02)
