"""`make images-test`: builds the images, and starts, scales, kills and restarts the stack of docker-compose.yml.

Needs Docker. It takes a project, passwords and ports of its own, and removes what it started; the images stay.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from rich.console import Console

from gradeline.client import Client
from tests.images import monitoring
from tests.images.compose import ROOT, Stack, await_true, docker, name_of, service_of

BASE = "python:3.11-slim-bookworm"
MOST_MB = {"gradeline-api": 350, "gradeline-worker:cpu": 1400}
ESSAYS = 300
KILLED = 137  # the exit status of a container that was ended by SIGKILL
# What the dashboard asks of every request.
RATE = "sum by (method, route) (rate(gradeline_http_requests_total[$__rate_interval]))"
console = Console(highlight=False, soft_wrap=True)


def images_are_small(_: Stack) -> None:
    base = size(BASE)
    for image, most in MOST_MB.items():
        over = size(image) - base
        say(f"{image}: {over:.0f} MB over {BASE} ({base:.0f} MB); at most {most}")
        assert over <= most
    for image in ("gradeline-api", "gradeline-worker:cpu"):
        absent = "import shutil, importlib.util as u; assert not any(map(shutil.which, ('gcc', 'cc', 'g++', 'make')))"
        docker(
            "run",
            "--rm",
            "--network",
            "none",
            "--entrypoint",
            "python",
            image,
            "-c",
            f"{absent}; assert not u.find_spec('torch')",
        )
        about = json.loads(docker("image", "inspect", image))[0]["Config"]
        assert (
            about["User"] == "10001:10001"
            and about["Healthcheck"]
            and about["Labels"]["org.opencontainers.image.version"]
        )


def size(image: str) -> float:
    return float(json.loads(docker("image", "inspect", image))[0]["Size"]) / 1e6


def containers_are_confined(stack: Stack) -> None:
    for each in stack.containers():
        host, service = each["HostConfig"], service_of(each)
        assert host["ReadonlyRootfs"] and host["Memory"] and host["NanoCpus"] and host["PidsLimit"], service
        assert "ALL" in host["CapDrop"] and "no-new-privileges:true" in host["SecurityOpt"], service
        published = [port["HostIp"] for ports in (host["PortBindings"] or {}).values() for port in ports]
        assert all(address == "127.0.0.1" for address in published), service
        assert not published or service in ("api", "flower")
        if service == "postgres":  # its entrypoint steps down from root
            rows = [line.split(maxsplit=2) for line in docker("top", each["Id"], "-eo", "pid,uid,args").splitlines()]
            servers = [uid for _, uid, command in rows if re.match(r"(\S*/)?postgres[: ]", command)]
            assert servers and "0" not in servers
        else:
            assert each["Config"]["User"].split(":")[0] not in ("", "0", "root"), service
    say("root file systems are read-only, users are not root, memory, cores and processes are limited")


def workers_are_seen_by_flower(stack: Stack) -> None:
    stack.up(workers=3)
    assert httpx.get(f"{stack.flower}/api/workers", timeout=30).status_code == httpx.codes.UNAUTHORIZED
    await_true("Flower lists three workers", lambda: len(workers_in_flower(stack)) == 3)
    say(f"Flower lists {', '.join(sorted(workers_in_flower(stack)))}")


def workers_in_flower(stack: Stack) -> list[str]:
    found = ask_flower(stack, "/api/workers?refresh=1&status=1")
    return [name for name, alive in found.items() if name.startswith("cpu@") and alive]


def ask_flower(stack: Stack, path: str) -> Any:
    auth = ("gradeline", stack.passwords["FLOWER_PASSWORD"])
    answer = httpx.get(f"{stack.flower}{path}", auth=auth, timeout=60)
    return answer.json() if answer.is_success else {}


def a_killed_worker_loses_nothing(stack: Stack, client: Client) -> list[str]:
    texts = essays(ESSAYS)
    with ThreadPoolExecutor(8) as pool:
        ids = [job["id"] for job in pool.map(lambda text: client.submit(text, priority="bulk"), texts)]
    await_true("some are graded", lambda: counted(client, ids)["succeeded"] >= ESSAYS // 10)
    victim = name_of(stack.containers("worker-cpu")[0])
    docker("kill", victim)
    at = counted(client, ids)
    assert at["succeeded"] < ESSAYS, "all were graded before the worker was killed"
    say(f"killed {victim} when {at['succeeded']} of {ESSAYS} were graded")
    done = client.wait_for(ids, 1800)
    assert Counter(job["state"] for job in done.values()) == {"succeeded": ESSAYS}
    say(f"all {ESSAYS} succeeded, on {len({job['scored_by']['worker'] for job in done.values()})} workers")
    return ids


def counted(client: Client, ids: list[str]) -> Counter[str]:
    wanted = set(ids)
    return Counter(job["state"] for job in client.jobs(limit=200) if job["id"] in wanted)


def essays(count: int) -> list[str]:
    """Different texts of some hundred words, of the samples' sentences."""
    whole = " ".join(file.read_text() for file in sorted((ROOT / "samples").glob("*.txt")))
    sentences, draw = re.split(r"(?<=[.!?])\s+", whole), random.Random(0)
    return [" ".join(draw.sample(sentences, 20)) for _ in range(count)]


def flower_holds_no_text(stack: Stack) -> None:
    tasks = ask_flower(stack, "/api/tasks?limit=1000")
    assert {task["name"] for task in tasks.values()} >= {"worker.grade"}
    ids = re.compile(r"[\[\]()'\", {}:a-z_]*|[0-9a-f-]{36}")
    for task in tasks.values():
        if task["name"] == "worker.grade":
            assert not ids.sub("", task["args"] or "").strip(" .0123456789-"), task["args"]
    say(f"Flower knows {len(tasks)} tasks, each with ids alone")


def prometheus_sees_everything(stack: Stack) -> None:
    prometheus = monitoring.start(stack, "prometheus")
    if prometheus is None:
        say("SKIPPED: the image of Prometheus can't be had here")
        return
    workers = sum(each["State"]["Running"] for each in stack.containers("worker-cpu"))
    scrapes = {"gradeline-api": ["up"], "gradeline-worker": ["up"] * workers, "flower": ["up"]}
    await_true("Prometheus reads all that is there", lambda: monitoring.scrapes(prometheus) == scrapes)
    rules = dict.fromkeys(monitoring.alerts(), "ok")
    await_true("all alerts are evaluated", lambda: monitoring.rules_of(prometheus) == rules)
    await_true("rates are known", lambda: monitoring.answers(prometheus)[RATE] > 0)
    counts = monitoring.answers(prometheus)
    say(f"Prometheus reads {scrapes} and evaluates {len(rules)} alerts")
    say(f"of {len(counts)} expressions of the dashboard, {sum(map(bool, counts.values()))} show something")


def grafana_shows_the_dashboard(stack: Stack) -> None:
    grafana = monitoring.start(stack, "grafana")
    if grafana is None:
        say("SKIPPED: the image of Grafana can't be had here")
        return
    await_true("Grafana shows the dashboard", lambda: monitoring.dashboards(stack, grafana) == ["Gradeline"])
    say("Grafana shows the dashboard")


def results_outlive_a_restart(stack: Stack, ids: list[str]) -> None:
    with stack.client() as client:
        before = client.get(ids[0])
    tasks = len(ask_flower(stack, "/api/tasks?limit=1000"))
    stack("stop")
    ended = {name_of(each): (service_of(each), each["State"]["ExitCode"]) for each in stack.containers()}
    say(f"exit statuses after SIGTERM: { {name: code for name, (_, code) in ended.items()} }")
    assert all(code == 0 for service, code in ended.values() if service not in ("worker-cpu", "postgres"))
    assert [code for service, code in ended.values() if service == "worker-cpu" and code] == [KILLED]
    assert all(code != KILLED for service, code in ended.values() if service == "postgres")
    stack("down")
    stack.up()
    with stack.client() as client:
        assert client.get(ids[0]) == before
        assert counted(client, ids)["succeeded"] == ESSAYS
    await_true("Flower has its tasks again", lambda: len(ask_flower(stack, "/api/tasks?limit=1000")) >= min(tasks, 1))
    say("down and up: results are there, and Flower's tasks")


def health_tells_the_truth(stack: Stack) -> None:
    worker, valkey = stack.containers("worker-cpu")[0]["Id"], stack.containers("valkey")[0]["Id"]
    docker("pause", valkey)
    try:
        await_true("the worker is unhealthy", lambda: health(stack, worker) == "unhealthy")
    finally:
        docker("unpause", valkey)
    await_true("the worker is healthy again", lambda: health(stack, worker) == "healthy")
    say("a worker is unhealthy while its broker hangs, and healthy again afterwards")


def health(stack: Stack, container: str) -> str:
    return next(str(each["State"]["Health"]["Status"]) for each in stack.containers() if each["Id"] == container)


def a_request_is_found_in_the_logs(stack: Stack) -> None:
    request = f"images-{uuid.uuid4()}"
    with stack.client() as client:
        job = client._http.post("/v1/jobs", json={"text": essays(1)[0]}, headers={"X-Request-ID": request}).json()
        client.wait_for([job["id"]], 600)
    for service in ("api", "worker-cpu"):
        await_true(f"the request's id is in the log of {service}", lambda s=service: request in stack.logs(s), 30)
    say("a client's X-Request-ID is in the log of the API and of the worker")


def say(line: str) -> None:
    console.print(f"{time.strftime('%H:%M:%S')}  {line}", markup=False)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.images", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the stack running")
    keep = parser.parse_args().keep
    stack = Stack()
    stack.remove()
    try:
        stack.up("--build")
        say("up from nothing: all healthy")
        images_are_small(stack)
        containers_are_confined(stack)
        workers_are_seen_by_flower(stack)
        with stack.client() as client:
            ids = a_killed_worker_loses_nothing(stack, client)
        flower_holds_no_text(stack)
        results_outlive_a_restart(stack, ids)
        health_tells_the_truth(stack)
        a_request_is_found_in_the_logs(stack)
        prometheus_sees_everything(stack)
        grafana_shows_the_dashboard(stack)
        containers_are_confined(stack)
        say("all held")
    finally:
        if not keep:
            stack.remove()


if __name__ == "__main__":
    main()
