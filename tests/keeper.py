"""`python -m tests.keeper PID`: when a test run has gone, however it went, ends whatever it had started and left running.

A run that ends by itself leaves nothing. One that is killed does, and so does a process of several (pytest-xdist): the one
that is interrupted gives the others seconds to end, and a stack takes longer.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

# In the environment of all that a run starts: the run's process.
MARK = "STARTED_BY_TESTS_OF"
SECONDS = 30.0


def keep() -> None:
    """Marks what this process starts from now on, and starts its keeper, which no signal to this one's group reaches."""
    os.environ[MARK] = str(os.getpid())
    quiet = subprocess.DEVNULL
    command = [sys.executable, "-m", "tests.keeper", os.environ[MARK]]
    keeper = subprocess.Popen(
        command, cwd=Path(__file__).parents[1], stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
    )
    keeper.returncode = 0  # nobody waits for it, and Python would warn that it still runs


def marked(pid: str) -> list[psutil.Process]:
    """What a run has started and still runs, but for its keeper."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == pid and process.pid != os.getpid():
                found.append(process)
    return found


def main() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pid = sys.argv[1]
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(pid)).wait()
    deadline = time.monotonic() + SECONDS
    while (left := marked(pid)) and time.monotonic() < deadline:  # what is killed may have been starting another
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=1)


if __name__ == "__main__":
    main()
