"""What a person meets when something is in the way, or was killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from gradeline.stack import leftovers
from gradeline.stack.control import is_running
from gradeline.stack.home import Home, free_port
from tests.integration.conftest import Stack, run

FAKE = {**os.environ, "GRADELINE_ENGINE": "fake"}


@pytest.fixture
def own(tmp_path):
    made = Stack(Home((tmp_path / "home").resolve()))
    yield made
    made.command("down", check=False)
    assert leftovers.find(made.home) == []


def ports() -> list[str]:
    return ["--port", str(free_port()), "--no-flower"]


def one_line(done) -> str:
    assert done.returncode == 1, done.stdout
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("gradeline: "), done.stderr
    return lines[0]


def test_a_port_in_use_is_one_clear_line(own):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = own.command("up", "--detach", "--port", str(port), "--no-flower", check=False)
        assert f"port {port} is in use" in one_line(done) and "--port" in done.stderr
    assert not own.home.runtime.exists()


def test_a_home_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    done = run("up", "--detach", "--home", str(tmp_path / "file" / "home"), check=False)
    assert "--home" in one_line(done)


def test_commands_without_a_stack_say_what_to_do(own):
    assert own.command("status", check=False).returncode == 3
    assert "gradeline up" in one_line(own.command("grade", __file__, check=False))
    assert "gradeline up" in one_line(own.command("scale", "worker-cpu=2", check=False))
    assert "no stack was running" in own.command("down").stdout


def test_a_missing_file_is_one_clear_line(own):
    assert "nothing.txt" in one_line(own.command("grade", "nothing.txt", check=False))


def test_a_second_up_says_that_one_is_running_and_grade_reads_standard_input(own):
    own.command("up", "--detach", *ports(), env=FAKE)
    assert "already running" in own.command("up", "--detach", env=FAKE).stdout
    done = own.command("grade", "-", "--json", input="A text from standard input, graded at once.")
    assert '"state": "succeeded"' in done.stdout
    assert "Structure" in own.command("grade", "-", input="And one for the table of scores.").stdout
    assert "cpu-1" in own.command("status").stdout
    assert "ready" in own.command("logs", "worker-cpu").stdout


def test_after_the_supervisor_was_killed_the_next_up_clears_up_and_starts(own):
    own.command("up", "--detach", *ports(), env=FAKE)
    supervisor = next(p for p in leftovers.find(own.home) if "gradeline.stack.supervisor" in p.cmdline())
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait(10)
    left = {p.name() for p in leftovers.find(own.home)}
    assert {"postgres", "valkey-server"} <= left and not is_running(own.home)
    done = own.command("up", "--detach", *ports(), env=FAKE)
    assert "ready" in done.stdout
    with own.client() as client:
        job = client.submit("A text after the kill.")
        assert client.wait_for([job["id"]])[job["id"]]["state"] == "succeeded"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_when_the_launcher_ends_nothing_is_left_running(own, how):
    command = [
        sys.executable,
        "-c",
        "from gradeline.cli import main; main()",
        "up",
        *ports(),
        "--home",
        str(own.home.path),
    ]
    launcher = subprocess.Popen(command, env=FAKE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert launcher.stdout
    while "Ctrl-C" not in (line := launcher.stdout.readline()):
        assert line, "the launcher ended too early"
    launcher.send_signal(how)
    launcher.stdout.read()
    launcher.wait(60)
    launcher.stdout.close()
    deadline = time.monotonic() + 60
    while leftovers.find(own.home) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert leftovers.find(own.home) == []
    assert not own.home.runtime.exists()


def test_two_homes_run_side_by_side(own, tmp_path):
    other = Stack(Home((tmp_path / "other").resolve()))
    own.command("up", "--detach", *ports(), env=FAKE)
    other.command("up", "--detach", *ports(), env=FAKE)
    try:
        with own.client() as first, other.client() as second:
            job = first.submit("Only in the first home.")
            assert [j["id"] for j in first.jobs()] == [job["id"]] and list(second.jobs()) == []
        # What a worker that is killed would leave in the machine's folder goes with the stack.
        assert list(own.home.runtime.glob("pymp-*")) and list(other.home.runtime.glob("pymp-*"))
    finally:
        other.command("down")
    assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in leftovers.find(other.home))
    assert not other.home.runtime.exists()
