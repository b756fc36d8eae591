"""The guide to the API, line by line, against a running stack."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def reader(stack, tmp_path):
    """Where somebody who follows the guide stands: beside the samples, with a key."""
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    key = (stack.home.path / "api-key").read_text().strip()

    def run(kind: str, *command: str) -> str:
        blocks = [text for each, text in BLOCK.findall((ROOT / "docs/api.md").read_text()) if each == kind]
        assert len(blocks) >= 5
        environment = {**os.environ, "URL": stack.home.read()["url"], "KEY": key, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, input="".join(blocks), capture_output=True, text=True, timeout=240, cwd=tmp_path, env=environment
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    return run


@pytest.mark.skipif(shutil.which("curl") is None and "CI" not in os.environ, reason="the guide needs curl")
def test_every_line_of_the_shell_does_what_the_guide_says(reader):
    said = reader("sh", "bash", "-euo", "pipefail", "-s")
    assert '"ready":true' in said and said.count('"state":"succeeded"') >= 3 and "whsec_" in said
    assert re.search(r"([0-9a-f]{8}-[0-9a-f-]{27})\n\1\n", said), "the same key twice, and two jobs"
    assert "external_id" in said and "s-2" in said and "txt" in said


def test_every_line_of_python_does_what_the_guide_says(reader):
    said = reader("python", sys.executable, "-")
    assert "Structure" in said and "5 of 5" in said and "t-4" in said
    assert said.splitlines()[-1].startswith("succeeded")
