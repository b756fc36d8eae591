"""A test run that is killed leaves nothing running."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

RUN = """
import subprocess, sys, time
from tests.keeper import keep
keep()
deep = "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", deep], start_new_session=True)
time.sleep(600)
"""


def test_what_a_killed_run_had_started_ends_with_it():
    run = subprocess.Popen(
        [sys.executable, "-c", RUN], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True
    )
    started = psutil.Process(int(run.stdout.readline()))
    run.kill()
    run.wait(30)
    run.stdout.close()
    psutil.wait_procs([started], timeout=60)
    assert not started.is_running() or started.status() == psutil.STATUS_ZOMBIE
