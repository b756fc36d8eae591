"""The whole report, its intervals and its learning curve."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.unit.worker.test_teaching import POINTS, SURFACE, graded, made, standing
from worker.head.teaching import teach
from worker.report import Evaluated, report_of
from worker.report.intervals import coverage, intervals
from worker.report.learning import learning_curve
from worker.report.measures import Scale
from worker.report.whole import MOST_POINTS, confusion, points

NAN = np.nan
SIX = {"name": "Structure", "min": 0, "max": 6, "step": 1, "weight": 3}
TEN = {"name": "Wit", "min": 0, "max": 10, "step": None, "weight": 1}


def evaluated(human, machine, **other):
    human, machine = np.array(human, float), np.array(machine, float)
    usual = {"second": np.full(human.shape, NAN), "groups": {}, "half_widths": np.full(human.shape[1] + 1, 0.25)}
    return Evaluated(human, machine, **{**usual, **other})


def test_a_report_compares_points_with_points_and_is_plain_json():
    found = report_of([SIX], evaluated([[0], [3], [6]], [[0.1], [0.5], [1.0]]))
    one = found["criteria"]["Structure"]
    assert one["points"] == [[0, 0.6], [3, 3], [6, 6]]
    assert (one["n"], one["h_mean"], one["raw_trim"]["sys_mean"]) == (3, 3, pytest.approx(3.2))
    assert one["raw_trim"]["RMSE"] == pytest.approx((0.36 / 3) ** 0.5, abs=1e-6)
    assert one["raw_trim_round"]["exact_agr"] == pytest.approx(66.666667)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_overall_score_is_the_weighted_mean_of_texts_that_have_all_criteria():
    human, machine = [[6, 10], [0, 0], [6, 0], [3, NAN]], [[1.0, 1.0], [0.0, 0.2], [1.0, 0.0], [0.5, 0.5]]
    found = report_of([SIX, TEN], evaluated(human, machine))
    # Two scales: from 0 to 100; three parts Structure, one part Wit.
    assert found["overall"]["scale"] == {"min": 0, "max": 100, "step": 1}
    assert found["overall"]["points"] == [[100, 100], [0, 5], [75, 75]]
    assert (found["criteria"]["Structure"]["n"], found["criteria"]["Wit"]["n"]) == (4, 3)
    assert report_of([SIX, {**SIX, "name": "b"}], evaluated(human, machine))["overall"]["scale"]["max"] == 6


@pytest.mark.parametrize(
    ("said", "expected"), [({"weight": 0}, [0, 100]), ({"weight": None}, [50, 50]), ({}, [50, 50])]
)
def test_a_weight_of_0_counts_nothing_and_one_that_is_not_said_is_1(said, expected):
    six = {name: value for name, value in SIX.items() if name != "weight"} | said
    found = report_of([six, TEN], evaluated([[6, 0], [0, 10]], [[1.0, 0.0], [0.0, 1.0]]))
    assert [human for human, _ in found["overall"]["points"]] == expected


def test_a_criterion_that_nobody_graded_is_left_out():
    found = report_of([SIX, TEN], evaluated([[1, NAN], [2, NAN]], [[0.2, NAN], [0.3, NAN]]))
    assert (list(found["criteria"]), found["overall"]) == (["Structure"], None)


def test_a_second_rater_brings_degradation_and_prmse():
    human = np.arange(12)[:, None] % 7.0
    second = np.where(np.arange(12)[:, None] < 8, np.clip(human + 1, 0, 6), NAN)
    one = report_of([SIX], evaluated(human, human / 6, second=second))["criteria"]["Structure"]
    assert one["human_human"]["N"] == 8
    for kind, name in (("raw_trim", "corr"), ("raw_trim_round", "wtkappa")):
        assert one["degradation"][kind][name] == pytest.approx(1 - one["human_human"][name])
    assert one["PRMSE"] is not None


def test_confusion_by_hand_and_a_fine_scale_in_twenty_parts():
    human, machine = np.array([0.0, 1.0, 2.0, 2.0]), np.array([0.4, 1.6, 2.0, 0.0])
    assert confusion(human, machine, Scale(0, 2, 1)) == {
        "labels": [0, 1, 2],
        "counts": [[1, 0, 0], [0, 0, 1], [1, 0, 1]],
    }
    fine = confusion(human, machine, Scale(0, 100, 1))
    assert fine["labels"] == [5 * n for n in range(21)] and np.sum(fine["counts"]) == 4


def test_very_many_points_are_a_sample():
    many = np.arange(3000.0)
    some = points(many, many)
    assert len(some) == MOST_POINTS and some == sorted(some) and some == points(many, many)


def test_intervals_hold_what_they_promise_on_scores_that_had_no_part_in_them():
    draw = np.random.default_rng(0)
    human = draw.uniform(0.3, 0.7, 500)
    found = intervals(human, human + 0.05 * draw.standard_normal(500), 0.1)
    for each in found["reliability"]:
        assert each["coverage"] == pytest.approx(each["nominal"], abs=0.05)
    assert found["coverage"] == pytest.approx(0.9, abs=0.03)
    assert found["mean_width"] == pytest.approx(0.2)


def test_intervals_are_cut_off_at_the_ends_of_the_scale():
    assert intervals(np.array([0.0, 1.0]), np.array([0.0, 1.0]), 0.3)["mean_width"] == pytest.approx(0.3)


def test_too_few_texts_promise_no_wide_interval():
    residuals = np.linspace(-0.1, 0.1, 10)
    assert coverage(residuals, 0.95) is None
    assert coverage(residuals, 0.5) is not None


def test_more_examples_agree_better_with_texts_that_were_held_out():
    inputs, quality = made(300)
    scores = graded(quality, np.arange(250))
    numbers, predicted = teach(inputs, SURFACE, scores, [POINTS], standing(right=0.0))
    curve = learning_curve(inputs, SURFACE, scores, [POINTS], standing(right=0.0), 60.0)
    assert list(curve) == [10, 20, 50, 100, 200]
    assert all((np.isnan(each[:, 0]) == np.isnan(scores[:, 0])).all() for each in curve.values())
    criterion = {**SIX, "weight": 1}
    found = report_of([criterion], evaluated(scores, predicted, curve=curve, half_widths=numbers.half_widths))
    shown = found["criteria"]["Structure"]["learning_curve"]
    # 200 is also what the report's own five folds are fitted on.
    assert [each["examples"] for each in shown] == [10, 20, 50, 100, 200]
    assert shown[-1]["wtkappa"] == found["criteria"]["Structure"]["raw_trim_round"]["wtkappa"]
    assert shown[-1]["wtkappa"] > shown[1]["wtkappa"] + 0.1


def test_a_curve_ends_when_its_time_is_over_and_is_empty_for_a_handful():
    inputs, quality = made(300)
    scores = graded(quality, np.arange(250))
    assert list(learning_curve(inputs, SURFACE, scores, [POINTS], standing(), 0.0)) == [10]
    assert learning_curve(inputs, SURFACE, graded(quality, np.arange(4)), [POINTS], standing(), 9.0) == {}
