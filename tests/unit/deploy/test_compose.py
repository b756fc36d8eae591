"""The composed stack keeps what docs/containers.md says of it. No Docker is needed to read it."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
GRAFANA = yaml.safe_load((ROOT / "deploy/compose.grafana.yml").read_text())["services"]
SECRET = re.compile(r"PASSWORD|TOKEN|_URL|AUTH")
each_service = pytest.mark.parametrize("name", SERVICES)


def environment(name: str) -> dict[str, Any]:
    return SERVICES[name].get("environment") or {}


def test_it_has_the_shape_of_production():
    expected = "postgres valkey migrate api hooks worker-cpu worker-gpu flower prometheus grafana".split()
    assert list(SERVICES) == expected
    assert {name: each["profiles"] for name, each in SERVICES.items() if "profiles" in each} == {
        "worker-gpu": ["gpu"],
        "prometheus": ["monitoring"],
        "grafana": ["monitoring"],
    }


@each_service
def test_every_service_is_limited(name):
    service = SERVICES[name]
    assert service["mem_limit"] and service["cpus"] and service["pids_limit"]
    assert service["logging"]["options"]["max-size"]


@each_service
def test_every_service_is_confined(name):
    service = SERVICES[name]
    assert service["read_only"] is True and service["tmpfs"]
    assert service["cap_drop"] == ["ALL"] and "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "network_mode", "pid", "container_name"} & service.keys()
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))


@each_service
def test_every_service_starts_again_but_the_one_that_ends(name):
    assert SERVICES[name]["restart"] == ("no" if name == "migrate" else "unless-stopped")


def test_only_api_and_flower_are_published_and_only_on_loopback():
    published = {name: each["ports"] for name, each in SERVICES.items() if "ports" in each}
    assert set(published) == {"api", "flower"}
    for ports in (*published.values(), GRAFANA["grafana"]["ports"]):
        assert all(port.startswith("127.0.0.1:") for port in ports)


def test_what_holds_essays_has_no_way_out():
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    outside = {name for name, each in SERVICES.items() if "outside" in each["networks"]}
    assert outside == {"api", "hooks", "flower"}


def test_no_password_stands_in_it():
    for name in SERVICES:
        for setting, value in environment(name).items():
            if SECRET.search(setting) and value is not None:
                assert re.search(r"\$\{[A-Z_]+:\?", value), f"{name}: {setting}"
    assert not re.search(r"\$\{[A-Z_]*(PASSWORD|TOKEN):?-", (ROOT / "docker-compose.yml").read_text())


@each_service
def test_a_start_waits_for_what_it_needs(name):
    waits = {needed: how["condition"] for needed, how in SERVICES[name].get("depends_on", {}).items()}
    assert all(
        how == ("service_completed_successfully" if needed == "migrate" else "service_healthy")
        for needed, how in waits.items()
    )
    if name in ("api", "hooks", "worker-cpu", "worker-gpu"):
        assert waits.keys() == {"migrate", "postgres", "valkey"}


def test_the_services_without_a_health_check_of_their_image_bring_one():
    brought = {name for name, each in SERVICES.items() if "healthcheck" in each}
    assert set(SERVICES) - brought == {"api", "worker-cpu", "worker-gpu"}


def test_every_setting_that_it_passes_on_is_known():
    known = {line.split("=")[0] for line in (ROOT / ".env.example").read_text().splitlines() if "=" in line}
    passed = {setting for name in SERVICES for setting in environment(name) if setting.startswith("GRADELINE_")}
    assert passed <= known


def test_workers_are_given_longer_to_stop_than_they_give_themselves():
    from worker.settings import WorkerSettings

    grace = WorkerSettings().worker_grace_s
    assert all(int(SERVICES[name]["stop_grace_period"].rstrip("s")) > 2 * grace for name in ("worker-cpu", "hooks"))


def test_children_end_before_their_container_is_killed():
    for name in ("worker-cpu", "worker-gpu"):
        limit = int(re.search(r":-(\d+)g", SERVICES[name]["mem_limit"]).group(1)) * 1024
        children = 8 if name == "worker-gpu" else 1  # by cores, 8 at most
        assert children * int(re.search(r":-(\d+)", environment(name)["GRADELINE_CHILD_MEMORY_MB"]).group(1)) < limit


def test_the_gpu_worker_reserves_one():
    (device,) = SERVICES["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}


def test_random_passwords_are_made_once_and_only_their_owner_reads_them(tmp_path):
    (tmp_path / "deploy").mkdir()
    script = tmp_path / "deploy/make-env"
    script.write_bytes((ROOT / "deploy/make-env").read_bytes())
    command = ["sh", str(script)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    made = tmp_path / ".env"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    values = dict(line.split("=") for line in made.read_text().splitlines())
    wanted = set(re.findall(r"\$\{([A-Z_]+):\?", (ROOT / "docker-compose.yml").read_text()))
    assert values.keys() == wanted | {"COMPOSE_PROJECT_NAME"}
    assert len({values[name] for name in wanted}) == len(wanted) and all(len(values[name]) == 48 for name in wanted)
    before = made.read_bytes()
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert made.read_bytes() == before


@pytest.mark.parametrize("profile", ["", "gpu", "monitoring"])
def test_compose_itself_can_read_it(profile):
    program = next((each for each in (["docker-compose"], ["docker", "compose"]) if is_here(each)), None)
    if program is None:
        pytest.skip("no Docker Compose here")
    secrets = dict.fromkeys(re.findall(r"\$\{([A-Z_]+):\?", (ROOT / "docker-compose.yml").read_text()), "x" * 16)
    profiles = ["--profile", profile] if profile else []
    done = subprocess.run(
        [*program, "-f", str(ROOT / "docker-compose.yml"), *profiles, "config", "-q"],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **secrets}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def is_here(program: list[str]) -> bool:
    """A `docker` may come without its plugin, and what it says then differs by version."""
    if shutil.which(program[0]) is None:
        return False
    return subprocess.run([*program, "version"], capture_output=True, timeout=60, check=False).returncode == 0
