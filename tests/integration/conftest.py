"""A whole stack, as a user starts it: `gradeline up --detach` in a home and on ports of its own."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gradeline.client import Client
from gradeline.stack.home import Home, free_port
from gradeline.stack.launch import client_of
from tests.integration.line import Line


@dataclass(frozen=True)
class Stack:
    """A running stack and the command that steers it."""

    home: Home

    def command(self, *arguments: str, check: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
        return run(*arguments, "--home", str(self.home.path), check=check, **options)

    def client(self) -> Client:
        return client_of(self.home)

    @property
    def flower(self) -> str:
        return f"http://127.0.0.1:{self.home.read()['ports']['flower']}"


def run(*arguments: str, check: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from gradeline.cli import main; main()", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, **options)  # type: ignore[call-overload]
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    # pytest's folders have mode 0700: PostgreSQL must run below one, also for root.
    started = Stack(Home(Path(tmp_path_factory.mktemp("stack")).resolve()))
    ports = "--port", str(free_port()), "--flower-port", str(free_port())
    started.command("up", "--detach", *ports)
    try:
        yield started
    finally:
        started.command("down")


@pytest.fixture(scope="module")
def servers_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    opened = Line(Home(Path(tmp_path_factory.mktemp("line")).resolve()))
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def line(servers_apart: Line) -> Iterator[Line]:
    """Servers that a test may kill, and workers that it starts; these end with it."""
    yield servers_apart
    servers_apart.dismiss()


@pytest.fixture
def model() -> str:
    """The name of a model that no other test uses: queues of its own."""
    return uuid.uuid4().hex
