"""A peer's server as a process group of its own, ended with everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import httpx

from gradeline.stack.home import free_port

READY_S = 300
ENGINES = {"LitServe": "default", "LitServe, our engine": "own"}


class Served:
    """Starts when entered, and answers then."""

    def __init__(self, name: str, model: Path, settings: dict[str, str], log: Path) -> None:
        self.name, self.port, self.log = name, free_port(), log
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {**os.environ, **settings, "PEER_MODEL": str(model)}

    def __enter__(self) -> Served:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(), env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._await()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    @contextlib.contextmanager
    def awake(self) -> Iterator[None]:
        """Before and after, its processes are stopped: LitServe's look for work all the time, and take it from others'."""
        os.killpg(self._process.pid, signal.SIGCONT)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGSTOP)

    def _command(self) -> list[str]:
        if self.name in ENGINES:
            return [sys.executable, "-m", "bench.peer.litserve_api", str(self.port), ENGINES[self.name]]
        threads = ["--workers", "1", "--worker-class", "gthread", "--threads", "8", "--timeout", "600"]
        app = "bench.peer.flask_pipeline:create()"
        return [sys.executable, "-m", "gunicorn", *threads, "--bind", f"127.0.0.1:{self.port}", app]

    def _await(self) -> None:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/health", timeout=2).is_success:
                    return
            time.sleep(0.2)
        raise SystemExit(f"{self.name} did not start: {self.log.read_text()[-1500:]}")

    def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
