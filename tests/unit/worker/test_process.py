"""A child's manners, in a process of its own: they can't be taken back."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="niceness is set on Linux alone")


def niceness_after(code: str) -> int:
    command = [sys.executable, "-c", f"import os; from worker.process import give_way; {code}; print(os.nice(0))"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=True).stdout)


def test_a_child_stands_back_behind_other_processes():
    here = os.nice(0)
    assert niceness_after("give_way(3)") == min(19, here + 3)


def test_a_child_that_is_told_so_competes_like_any_other():
    assert niceness_after("give_way(0)") == os.nice(0)
