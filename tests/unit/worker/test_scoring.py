"""From the unit scale to a rubric's points."""

from __future__ import annotations

import numpy as np
import pytest

from db.rubric import default_criteria
from worker.errors import Unscorable
from worker.head import load_surface
from worker.scoring import Units, criterion_scores, measured, overall_scores, points, review_reasons

SIX = {"name": "Order", "measures": "Structure", "min": 0, "max": 6, "step": 1, "weight": 1, "levels": []}
HEAD = load_surface()


def units(score, low, high):
    """One text's score with its interval."""
    return Units(np.array([score]), np.array([low]), np.array([high]))


def score_of(criterion, score, low, high):
    return criterion_scores(criterion, units(score, low, high), 0.9)[0]


def overall_of(criteria, scores, low, middle, high):
    return overall_scores(criteria, np.array([scores]), units(middle, low, high))[0]


@pytest.mark.parametrize(
    ("unit", "expected"), [(0.0, 0), (0.5, 3), (0.58, 3), (0.59, 4), (1.0, 6), (1.7, 6), (-0.2, 0)]
)
def test_points_fall_on_the_steps_of_the_scale(unit, expected):
    assert points(SIX, unit) == expected


def test_a_fine_step_is_kept_whole():
    assert points({"min": 0, "max": 1, "step": 0.125}, 0.11) == 0.125
    assert points({"min": 0, "max": 4, "step": 1 / 3}, 1 / 6) == pytest.approx(2 / 3, abs=1e-6)


def test_without_steps_points_keep_two_decimals():
    assert points({"min": 0, "max": 100, "step": None}, 0.71498) == 71.5


@pytest.mark.parametrize(
    ("unit", "level"), [(0.0, "Poor"), (0.39, "Poor"), (0.4, "Fair"), (0.6, "Good"), (0.8, "Excellent")]
)
def test_the_level_is_the_highest_that_the_score_reaches(unit, level):
    score = score_of(default_criteria()[0], unit, unit, unit)
    assert score["level"] == level and len(score["feedback"]) == 1


def test_a_levels_own_description_is_the_feedback():
    criterion = {**SIX, "levels": [{"name": "Weak", "from": 0, "description": "Begin again."}]}
    assert score_of(criterion, 0.2, 0, 1)["feedback"] == ["Begin again."]


def test_the_overall_score_weighs_criteria():
    criteria = [{**SIX, "weight": 3}, {**SIX, "weight": 1}]
    overall = overall_of(criteria, [1, 0], 0.4, 0.5, 0.7)
    assert overall == {"score": 4.5, "min": 0, "max": 6, "interval": [3.9, 5.7]}


@pytest.mark.parametrize(("said", "expected"), [({"weight": 0}, 0.0), ({"weight": None}, 3.0), ({}, 3.0)])
def test_a_weight_of_0_counts_nothing_and_one_that_is_not_said_is_1(said, expected):
    criterion = {name: value for name, value in SIX.items() if name != "weight"}
    assert overall_of([{**criterion, **said}, SIX], [1, 0], 0.4, 0.5, 0.6)["score"] == expected


def test_criteria_that_all_weigh_nothing_count_the_same():
    assert overall_of([{**SIX, "weight": 0}] * 2, [1, 0], 0.4, 0.5, 0.6)["score"] == 3


def test_criteria_of_different_scales_are_summed_up_from_0_to_100():
    overall = overall_of([SIX, {**SIX, "max": 10}], [0.5, 0.5], 0.4, 0.5, 0.6)
    assert (overall["score"], overall["min"], overall["max"]) == (50, 0, 100)


def test_a_criterion_that_the_head_does_not_measure_is_refused_with_what_it_does():
    assert measured([SIX, {**SIX, "measures": "Relevance"}, {**SIX, "measures": "grammar"}], HEAD) == [0, 2, 3]
    with pytest.raises(Unscorable, match=r"Humour.*Academic_Writing"):
        measured([{"name": "Humour"}], HEAD)


def test_a_person_should_look_when_something_says_so():
    assert review_reasons(0.2, [], False) == []
    assert review_reasons(1.0, [{"code": "off_topic", "message": ""}], True) == [
        "off_topic", "degraded", "wide_interval",
    ]  # fmt: skip


def test_an_interval_keeps_its_ends_between_steps_and_holds_the_score():
    assert score_of(SIX, 0.5, 0.43, 0.57)["interval"] == [2.58, 3.42]
    assert score_of(SIX, 0.59, 0.58, 0.6)["interval"] == [3.48, 4.0]


def test_texts_of_a_chunk_are_scored_as_each_alone():
    scores, low, high = np.array([0.1, 0.55, 0.93]), np.array([0.0, 0.4, 0.8]), np.array([0.3, 0.7, 1.0])
    together = criterion_scores(default_criteria()[1], Units(scores, low, high), 0.9)
    alone = [score_of(default_criteria()[1], *each) for each in zip(scores, low, high, strict=True)]
    assert together == alone and [each["level"] for each in together] == ["Poor", "Fair", "Excellent"]
