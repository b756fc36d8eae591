"""Talking to the process manager of a running stack."""

from __future__ import annotations

import fcntl
import time
from typing import Any

from circus.client import CircusClient
from circus.exc import CallError

from gradeline.errors import StackError
from gradeline.stack.home import Home

# What circus answers while it carries out another command: it does one at a time, and wants to be asked again.
BUSY = ("arbiter is already running", "arbiter is restarting")
BUSY_POLL_S = 0.05


def is_running(home: Home) -> bool:
    """Whether a supervisor holds the home now."""
    try:
        with home.lock_file.open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # there is no such home
    return False


class Control:
    """Commands to one supervisor. StackError when it does not answer."""

    def __init__(self, home: Home, timeout: float = 10.0) -> None:
        self._client = CircusClient(endpoint=home.endpoint, timeout=timeout)
        self._timeout = timeout

    def close(self) -> None:
        self._client.stop()

    def send(self, command: str, **properties: Any) -> dict[str, Any]:
        """The supervisor's answer. A busy one is asked again, for as long as a silent one is waited for."""
        deadline = time.monotonic() + self._timeout
        answer = self._ask(command, properties)
        while str(answer.get("reason")).startswith(BUSY) and time.monotonic() < deadline:
            time.sleep(BUSY_POLL_S)
            answer = self._ask(command, properties)
        if answer.get("status") == "error":
            raise StackError(f"the supervisor refused '{command}': {answer.get('reason')}")
        return answer

    def _ask(self, command: str, properties: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(self._client.send_message(command, **properties))
        except CallError as error:
            raise StackError(
                f"the supervisor does not answer ({error}); `gradeline down` and `gradeline up` again"
            ) from error

    def answers(self) -> bool:
        try:
            self.send("numwatchers")
        except StackError:
            return False
        return True

    def start(self, name: str) -> None:
        self.send("start", name=name, waiting=False)

    def pids(self) -> dict[str, list[int]]:
        """Processes by watcher."""
        names = self.send("list").get("watchers", [])
        return {name: list(self.send("list", name=name).get("pids", [])) for name in names}

    def scale(self, name: str, count: int) -> None:
        self.send("set", name=name, options={"numprocesses": count}, waiting=False)

    def quit(self) -> None:
        """Asks the supervisor to stop everything in an orderly way, and itself."""
        self.send("quit", waiting=False)
