"""Commands to a supervisor that speaks circus's protocol over a real socket."""

from __future__ import annotations

import json
import threading

import pytest
import zmq

from gradeline.errors import StackError
from gradeline.stack.control import Control
from gradeline.stack.home import Home

BUSY = {"status": "error", "reason": "arbiter is already running watcher_start command"}
DONE = {"status": "ok"}


@pytest.fixture
def supervisor(tmp_path):
    """Answers commands with what it is told to; gives the home that it serves and the commands that it heard."""
    home, answers, heard = Home(tmp_path), [], []
    home.prepare()
    home.enter()
    socket = zmq.Context.instance().socket(zmq.ROUTER)
    socket.bind(home.endpoint)
    ended = threading.Event()

    def serve():
        while not ended.is_set():
            if socket.poll(20):
                who, *_, body = socket.recv_multipart()
                message = json.loads(body)
                heard.append(message["command"])
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                socket.send_multipart([who, json.dumps({**answer, "id": message["id"]}).encode()])

    thread = threading.Thread(target=serve)
    thread.start()
    yield home, answers, heard
    ended.set()
    thread.join()
    socket.close(0)
    home.leave()


@pytest.fixture
def control(supervisor):
    made = Control(supervisor[0], timeout=1.0)
    yield made
    made.close()


def test_a_busy_supervisor_is_asked_again(supervisor, control):
    _, answers, heard = supervisor
    answers += [BUSY, BUSY, DONE]
    control.start("api")
    assert heard == ["start"] * 3


def test_one_that_stays_busy_is_given_up_with_its_reason(supervisor, control):
    supervisor[1].append(BUSY)
    with pytest.raises(StackError, match="refused 'start': arbiter is already running"):
        control.start("api")


def test_any_other_refusal_is_told_at_once(supervisor, control):
    _, answers, heard = supervisor
    answers.append({"status": "error", "reason": "program ghost not found"})
    with pytest.raises(StackError, match="ghost not found"):
        control.start("ghost")
    assert heard == ["start"]
