"""What a container may compute."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from worker.engine.cpu import cores

SEEN = len(os.sched_getaffinity(0))


def first(folder: Path, quota: str) -> None:
    (folder / "cpu").mkdir()
    (folder / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (folder / "cpu" / "cpu.cfs_period_us").write_text("100000\n")


def second(folder: Path, quota: str) -> None:
    (folder / "cpu.max").write_text(f"{quota} 100000\n")


@pytest.mark.parametrize("form", [first, second])
def test_a_limited_container_computes_with_the_cores_that_it_may_use(tmp_path, form):
    form(tmp_path, "100000")
    assert cores(tmp_path) == 1


@pytest.mark.parametrize(("form", "unlimited"), [(first, "-1"), (second, "max")])
def test_without_a_limit_it_computes_with_all_that_it_sees(tmp_path, form, unlimited):
    form(tmp_path, unlimited)
    assert cores(tmp_path) == SEEN


@pytest.mark.parametrize("quota", ["10000", "5000"])
def test_less_than_a_core_is_one_thread(tmp_path, quota):
    second(tmp_path, quota)
    assert cores(tmp_path) == 1


@pytest.mark.parametrize("quota", ["", "all of it"])
def test_what_cannot_be_read_limits_nothing(tmp_path, quota):
    second(tmp_path, quota)
    assert cores(tmp_path) == SEEN
    assert cores(tmp_path / "missing") == SEEN
