"""A whole stack tells of ends, by webhook and by event stream, whatever becomes of the process that sends."""

from __future__ import annotations

import json
import os
from functools import partial

import psutil

from gradeline.stack import leftovers
from gradeline.stack.home import Home, free_port
from gradeline.stack.launch import processes
from tests.integration.conftest import Stack
from tests.unit.api.conftest import listening
from tests.waiting import until as until_within

SETTINGS = {
    "GRADELINE_ENGINE": "fake",
    "GRADELINE_WEBHOOK_ALLOW": "127.0.0.1",
    "GRADELINE_WEBHOOK_TIMEOUT_S": "3",
    "GRADELINE_WEBHOOK_RETRIES_S": "0.5,0.5,0.5,0.5",
}
until = partial(until_within, seconds=120)


def test_graded_jobs_are_told_also_when_the_sender_is_killed_in_the_middle(tmp_path_factory):
    own = Stack(Home(tmp_path_factory.mktemp("hooks").resolve()))
    own.command("up", "--detach", "--port", str(free_port()), "--no-flower", env={**os.environ, **SETTINGS})
    try:
        with own.client() as client, listening() as endpoint:
            job = client.submit("A text that somebody waits for.", callback_url=endpoint.url)
            assert [body["state"] for body in client.events(job)][-1] == "succeeded"
            until(lambda: len(endpoint.heard) == 1)
            assert json.loads(endpoint.heard[0][1])["data"]["id"] == job["id"]
            endpoint.slow_s = 2.0
            client.submit("Another text, whose end is told slowly.", callback_url=endpoint.url)
            until(lambda: len(endpoint.heard) == 2)
            [hooks] = processes(own.home)["hooks"]
            psutil.Process(hooks).kill()
            until(lambda: len(endpoint.heard) == 3)  # the attempt that was cut off is made again
            first, second = (headers["webhook-id"] for headers, _ in endpoint.heard[1:])
            assert first == second
    finally:
        own.command("down")
    assert leftovers.find(own.home) == []
