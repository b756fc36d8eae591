"""Whoever has a session can write any row, whatever else was imported."""

from __future__ import annotations

import subprocess
import sys

CODE = """
from db.session import Database
from db.batch import Batch
from sqlalchemy import inspect
assert inspect(Batch)._sorted_tables
"""


def test_a_session_knows_the_tables_that_a_row_points_to():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
