"""The profile `monitoring` of the composed stack: each of its images where it can be had."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from tests.images.compose import ROOT, Stack, await_true, docker

JOBS = {"gradeline-api", "gradeline-worker", "flower"}
RULES, DASHBOARD = ROOT / "deploy/prometheus/rules.yml", ROOT / "deploy/grafana/dashboards/gradeline.json"
# Two scrapes lie in it, so that rates are known.
INTERVAL = "1m"


def start(stack: Stack, service: str) -> str | None:
    """Starts a service of the profile; returns its container's id, or None where its image can't be had."""
    image = re.search(rf"image: (\S+/{service}:\S+)", (ROOT / "docker-compose.yml").read_text())
    assert image, f"docker-compose.yml names no image of {service}"
    if not is_here(image[1]):
        docker("pull", image[1], check=False)
        if not is_here(image[1]):
            return None
    stack("--profile", "monitoring", "up", "-d", "--no-deps", service)
    await_true(f"{service} is healthy", stack.is_healthy)
    return str(stack.containers(service)[0]["Id"])


def is_here(image: str) -> bool:
    return bool(docker("image", "ls", "-q", image).strip())


def ask(container: str, address: str) -> Any:
    """The JSON that a container answers itself: nothing of the profile is published."""
    return json.loads(docker("exec", container, "wget", "-q", "-T", "30", "-O", "-", address))


def scrapes(prometheus: str) -> dict[str, list[str]]:
    """How the last scrape of each target ended, a job each."""
    found = ask(prometheus, "http://127.0.0.1:9090/api/v1/targets?state=active")["data"]["activeTargets"]
    return {job: [each["health"] for each in found if each["labels"]["job"] == job] for job in JOBS}


def rules_of(prometheus: str) -> dict[str, str]:
    """Each alert that Prometheus holds, with the health of its last evaluation."""
    groups = ask(prometheus, "http://127.0.0.1:9090/api/v1/rules")["data"]["groups"]
    return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}


def alerts() -> set[str]:
    """Those of the file of rules."""
    return set(re.findall(r"^ +- alert: (\w+)", RULES.read_text(), re.M))


def answers(prometheus: str) -> dict[str, int]:
    """How many series Prometheus answers to each expression of the dashboard."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    found = {}
    for expression in [target["expr"] for panel in panels for target in panel.get("targets", [])]:
        asked = expression.replace("$__rate_interval", INTERVAL).replace("$rubric", ".*")
        found[expression] = len(
            ask(prometheus, f"http://127.0.0.1:9090/api/v1/query?query={quote(asked)}")["data"]["result"]
        )
    return found


def dashboards(stack: Stack, grafana: str) -> list[str]:
    """The titles of what Grafana shows."""
    secret = stack.passwords["GRAFANA_PASSWORD"]
    found = ask(grafana, f"http://gradeline:{secret}@127.0.0.1:3000/api/search?type=dash-db")
    return [each["title"] for each in found]
