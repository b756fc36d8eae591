"""A stack of one's own for a measurement, gone afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from gradeline.stack import launch
from gradeline.stack.home import Home, free_port


@contextmanager
def own_stack(workers: int = 1, **settings: str) -> Iterator[Home]:
    """A stack in a folder and on ports of its own, with workers, and settings added to its environment."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder).resolve() / "home")
        ports = ["--port", str(free_port()), "--flower-port", str(free_port()), "--workers", str(workers)]
        command = [sys.executable, "-c", "from gradeline.cli import main; main()", "up", "--detach"]
        subprocess.run(
            [*command, "--home", str(home.path), *ports], check=True, timeout=300, env={**os.environ, **settings}
        )
        try:
            yield home
        finally:
            launch.down(home)


def cpu_seconds(home: Home, name: str) -> float:
    """CPU time that the processes of a part have used so far, children included."""
    found = launch.processes(home).get(name, [])
    family = [p for pid in found for p in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))]
    return float(sum(p.cpu_times().user + p.cpu_times().system for p in family))
