"""Whoever does not compute loads nothing that computes: no CUDA context can exist before a child does."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "onnxruntime", "onnx", "openvino", "nncf", "tokenizers", "sentence_transformers")
CHECK = "import sys; found = [m for m in {heavy!r} if m in sys.modules]; assert not found, found"
PARENT = """
from worker.__main__ import Process
from worker.settings import WorkerSettings
process = Process(WorkerSettings(), "cpu-1@test")
process.app.loader.import_default_modules()
process.app.finalize()
assert "worker.grade" in process.app.tasks
"""

# Everything of a child up to its heads, marking a text with the fake engine.
GRADING = """
import uuid
import worker.child
from db.jobs import Claimed
from worker.child import load_marker
from worker.settings import WorkerSettings
marker = load_marker(WorkerSettings(engine="fake"), "w")
criteria = [{"name": "Clarity", "measures": "Clarity", "min": 0, "max": 100, "weight": 1}]
job = Claimed(uuid.uuid4(), 1, True, False, "One plain sentence. " * 40, None, uuid.uuid4(), criteria)
[done] = marker.mark([job])
assert done.error is None, done.error
"""
FITTING = ("sklearn", "pandas", "scipy", "crepes", "torch")


@pytest.mark.parametrize(
    "code", ["import api.app, api.__main__", "import gradeline.cli", "import broker.app; broker.app.app", PARENT]
)
def test_no_model_library_is_imported(code):
    assert_absent(code, HEAVY)


def test_a_child_that_only_grades_has_nothing_loaded_that_fits_heads():
    assert_absent(GRADING, FITTING)


def assert_absent(code: str, libraries: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{CHECK.format(heavy=libraries)}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
