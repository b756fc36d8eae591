"""What a health check sees of a worker, of webhooks and of the API while their servers come and go."""

from __future__ import annotations

import os
import subprocess
import sys

import httpx
import pytest

from broker.pulse import SETTING
from gradeline.stack.home import free_port
from tests.integration.line import ROOT, await_true


def is_healthy(*module: str, **environment: object) -> bool:
    told = {name: str(value) for name, value in environment.items()}
    command = [sys.executable, "-m", *module]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **told}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0 or done.stderr.strip(), "who is not healthy says why"
    return done.returncode == 0


WORKER, HOOKS = ("worker.health",), ("api.health", "hooks")


@pytest.mark.parametrize(("look", "server"), [(WORKER, "valkey"), (HOOKS, "postgres")])
def test_a_sign_of_life_lapses_while_a_server_is_away(line, model, tmp_path, look, server):
    file = tmp_path / "heartbeat"
    if look == WORKER:
        line.worker(model, heartbeat_file=file, beat_s=0.5)
    else:
        line._process(["api.hooks"], line.environment(model, heartbeat_file=file, beat_s=0.5))
    await_true("healthy", lambda: is_healthy(*look, **{SETTING: file}))
    line.kill(server)
    await_true(f"unhealthy without {server}", lambda: not is_healthy(*look, **{SETTING: file}))
    line.start(server)
    await_true("healthy again", lambda: is_healthy(*look, **{SETTING: file}))


def test_a_worker_whose_child_hangs_is_not_healthy(line, model, tmp_path):
    file = tmp_path / "heartbeat"
    worker = line.worker(model, heartbeat_file=file, beat_s=0.5)
    await_true("healthy", lambda: is_healthy("worker.health", **{SETTING: file}))
    (child,) = worker.children()
    child.suspend()
    try:
        await_true("unhealthy with a child that hangs", lambda: not is_healthy("worker.health", **{SETTING: file}))
        assert worker.process.poll() is None
    finally:
        child.resume()
    await_true("healthy again", lambda: is_healthy("worker.health", **{SETTING: file}))


def test_the_api_is_healthy_while_it_answers(line, model):
    with line.api(model) as client:
        assert is_healthy("api.health", GRADELINE_PORT=httpx.URL(client.url).port)
    assert not is_healthy("api.health", GRADELINE_PORT=free_port())
