"""A minute of `make storm`, on every change."""

from __future__ import annotations

import json
import subprocess
import sys

import psutil
import pytest

from gradeline.stack import leftovers
from gradeline.stack.home import Home

SEED = 7
LONGEST_S = 900  # on a machine ten times slower than the one on which it takes a minute and a half


@pytest.mark.stack
@pytest.mark.timeout(LONGEST_S + 60)
def test_a_short_storm_loses_nothing_doubles_nothing_and_leaves_nothing_running(tmp_path):
    file = tmp_path / "storm.json"
    command = [
        sys.executable, "-m", "tests.storm", f"--seed={SEED}", "--jobs=600", "--faults=10", "--real-jobs=0",
        "--deadline=300", f"--home={tmp_path}", f"--json={file}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    (said,) = json.loads(file.read_text())
    assert len(said["faults"]) >= 8 and said["findings"] == {}
    assert sum(said["states"].values()) >= 600
    left = leftovers.find(Home((tmp_path / "fake").resolve()))
    assert [p for p in left if p.status() != psutil.STATUS_ZOMBIE] == []
