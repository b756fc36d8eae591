"""The composed stack as a person starts it, in a project, with passwords and on ports of its own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradeline.client import Client
from gradeline.stack.home import free_port

ROOT = Path(__file__).parents[2]
PROJECT = "gradeline-images-test"
SECRETS = ("POSTGRES_PASSWORD", "VALKEY_PASSWORD", "FLOWER_PASSWORD", "GRAFANA_PASSWORD", "METRICS_TOKEN")
# A machine that builds images beside it may be slow; what is waited for is a state, not a speed.
PATIENCE_S = 600.0


def docker(*arguments: str, check: bool = True, timeout: float = 600) -> str:
    """What `docker` says on standard output and standard error together."""
    return run(["docker", *arguments], check, timeout=timeout)


def run(command: list[str], check: bool = True, env: dict[str, str] | None = None, timeout: float = 600) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
        check=False,
    )  # fmt: skip
    assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}"
    return done.stdout


def await_true(what: str, true: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.5)


class Stack:
    """One project of Docker Compose, whichever of its two commands is installed."""

    def __init__(self) -> None:
        new = shutil.which("docker-compose") is None
        self.command = ["docker", "compose"] if new else ["docker-compose"]
        self.ports = {"API_PORT": free_port(), "FLOWER_PORT": free_port()}
        self.passwords = {name: secrets.token_hex(24) for name in SECRETS}
        own = {"COMPOSE_PROJECT_NAME": PROJECT, **{name: str(port) for name, port in self.ports.items()}}
        self.env = {**os.environ, **own, **self.passwords}
        self.url = f"http://127.0.0.1:{self.ports['API_PORT']}"
        self.flower = f"http://127.0.0.1:{self.ports['FLOWER_PORT']}"

    def __call__(self, *arguments: str, check: bool = True, timeout: float = 3600) -> str:
        return run([*self.command, *arguments], check, self.env, timeout)

    def up(self, *arguments: str, workers: int = 1) -> None:
        """Starts what is not running, and waits until all of it is healthy."""
        self("up", "-d", "--scale", f"worker-cpu={workers}", *arguments)
        await_true("all healthy", self.is_healthy)

    def containers(self, service: str = "") -> list[dict[str, Any]]:
        """What Docker knows of each, those that have ended included."""
        found = [
            f"label=com.docker.compose.project={PROJECT}",
            *([f"label=com.docker.compose.service={service}"] * bool(service)),
        ]
        ids = docker("ps", "-aq", *[word for each in found for word in ("--filter", each)]).split()
        return list(json.loads(docker("inspect", *ids))) if ids else []

    def is_healthy(self) -> bool:
        states = {name_of(each): (service_of(each), each["State"]) for each in self.containers()}
        for name, (service, state) in states.items():
            failed = state["Status"] == "exited" and (service != "migrate" or state["ExitCode"] != 0)
            assert not failed, f"{name} has ended: {docker('logs', '--tail', '30', name)}"
        return all(state["Health"]["Status"] == "healthy" for service, state in states.values() if service != "migrate")

    def client(self) -> Client:
        key = self("run", "--rm", "-T", "--no-deps", "migrate", "cat", "/var/lib/gradeline/api-key")
        return Client(self.url, next(line for line in key.splitlines() if line.startswith("gl_")).strip())

    def logs(self, *services: str) -> str:
        return self("logs", "--no-color", *services)

    def remove(self) -> None:
        self("--profile", "monitoring", "down", "--volumes", "--remove-orphans", "--timeout", "10", check=False)


def service_of(container: dict[str, Any]) -> str:
    return str(container["Config"]["Labels"]["com.docker.compose.service"])


def name_of(container: dict[str, Any]) -> str:
    return str(container["Name"]).lstrip("/")
