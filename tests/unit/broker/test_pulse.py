"""Signs of life lapse by themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from broker.pulse import SETTING, Pulse


def health(file: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "worker.health"]
    return subprocess.run(
        command, env={**os.environ, SETTING: str(file)}, cwd=Path(__file__).parents[3], capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def test_a_process_that_beats_is_alive(tmp_path):
    pulse = Pulse(str(tmp_path / "heartbeat"), 3600)
    pulse.beat()
    pulse.beat()
    assert pulse.holds()
    assert health(pulse.file).returncode == 0


def test_a_sign_that_is_not_given_again_lapses(tmp_path):
    pulse = Pulse(str(tmp_path / "heartbeat"), 3600)
    pulse.beat()
    Pulse(str(tmp_path / "heartbeat"), -1).beat()  # as if the hour had passed
    assert not pulse.holds()
    found = health(pulse.file)
    assert found.returncode == 1 and "no sign of life" in found.stderr


def test_before_the_first_beat_there_is_no_life(tmp_path):
    assert not Pulse(str(tmp_path / "heartbeat"), 10).holds()
    assert health(tmp_path / "heartbeat").returncode == 1


def test_a_part_has_a_sign_of_its_own(tmp_path):
    whole, part = (Pulse(str(tmp_path / "heartbeat"), 3600, name) for name in ("", "child"))
    part.beat()
    assert part.holds() and not whole.holds()


def test_without_a_file_nothing_is_written_and_nothing_holds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pulse = Pulse("", 3600, "child")
    pulse.beat()
    assert not pulse.holds() and not list(tmp_path.iterdir())
    assert "is not set" in health("").stderr
