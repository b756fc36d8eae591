"""HTTP from several threads over kept connections. A client that costs little leaves the cores to what is measured."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlsplit

TIMEOUT_S = 600
T = TypeVar("T")


class Sender:
    """One kept connection a thread to one server."""

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        self.address = urlsplit(url).netloc
        self.headers = {"Content-Type": "application/json", **(headers or {})}
        self._local = threading.local()

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON; SystemExit for any other status than 2xx, because a measurement ends there."""
        data = None if body is None else json.dumps(body).encode()
        try:
            status, answer = self._once(method, path, data)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            # A server may close a connection that was idle; what was answered is not sent again.
            self._local.connection = None
            status, answer = self._once(method, path, data)
        if status // 100 != 2:
            raise SystemExit(f"{method} {path} answered {status}: {answer[:300]!r}")
        return json.loads(answer) if answer else None

    def _once(self, method: str, path: str, data: bytes | None) -> tuple[int, bytes]:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT_S)
        connection.request(method, path, data, self.headers)
        response = connection.getresponse()
        return response.status, response.read()


def closed_loop(call: Callable[[T], Any], texts: Sequence[T], threads: int) -> tuple[list[Any], float]:
    """Every text by the next free thread; the answers, and the seconds that it took."""
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(call, texts))
    return answers, time.perf_counter() - began
