"""Groups whose treatment is known."""

from __future__ import annotations

import numpy as np
import pytest

from worker.report.fairness import MOST_GROUPS, dsm, ordered, subgroups

HUMAN = np.tile([1.0, 2.0, 3.0, 4.0], 10)
LABELS = ["F"] * 24 + ["M"] * 16


def test_a_group_that_is_marked_up_stands_out_in_difference_and_not_in_accuracy():
    # Both are off by half a point; one up, one down.
    machine = HUMAN + np.where(np.array(LABELS) == "F", 0.5, -0.5)
    found = subgroups(HUMAN, machine, LABELS)
    assert found["base_group"] == "F"
    assert found["OSD"]["R2"] == pytest.approx(1)
    # The human score explains nothing of the error, so its model has the adjusted R² 1 - 39 / 36.
    assert found["CSD"]["R2"] == pytest.approx(1 - (1 - 39 / 36))
    assert found["OSA"]["R2"] is None  # squared errors are all the same: nothing to explain
    assert found["groups"]["M"]["osd_estimate"] == pytest.approx(-1)
    assert found["groups"]["F"]["DSM"] > 0.1 > -0.1 > found["groups"]["M"]["DSM"]


def test_dsm_by_hand():
    human, machine = np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 4.0])
    # z of the last: (3 - 2) / 1, and (4 - 2) / sqrt(3).
    assert dsm(human, machine, np.array([2])) == pytest.approx(2 / 3**0.5 - 1, abs=1e-6)
    assert dsm(human, np.full(3, 2.0), np.array([2])) is None


def test_small_groups_are_marked_and_texts_without_a_label_are_in_none():
    found = subgroups(HUMAN, HUMAN + 0.1 * np.sin(np.arange(40)), [*(["a"] * 12), *(["b"] * 9), *([None] * 19)])
    assert {g: (each["n"], each["enough"]) for g, each in found["groups"].items()} == {"a": (12, True), "b": (9, False)}


def test_what_parts_nothing_and_what_are_names_are_no_groups():
    assert subgroups(HUMAN, HUMAN, ["same"] * 40) is None
    assert subgroups(HUMAN, HUMAN, [f"student {n}" for n in range(40)]) is None and MOST_GROUPS < 40


def test_too_few_texts_for_a_model_have_no_figures_of_it():
    found = subgroups(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.5, 3.0]), ["a", "a", "b"])
    assert found["CSD"] == {"R2": None, "sig": None}


def test_the_largest_group_comes_first_and_the_same_size_by_name():
    assert ordered(["b", "c", "a", "c", "b"]) == ["b", "c", "a"]
