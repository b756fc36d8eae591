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


@pytest.mark.parametrize(
    "code", ["import api.app, api.__main__", "import gradeline.cli", "import broker.app; broker.app.app", PARENT]
)
def test_no_model_library_is_imported(code):
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{CHECK.format(heavy=HEAVY)}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
