"""From the unit scale to a rubric's points."""

from __future__ import annotations

import pytest

from db.rubric import default_criteria
from worker.errors import Unscorable
from worker.head import load_surface
from worker.scoring import UnitScore, criterion_score, measured, overall_score, points, review_reasons

SIX = {"name": "Order", "measures": "Structure", "min": 0, "max": 6, "step": 1, "weight": 1, "levels": []}
HEAD = load_surface()


@pytest.mark.parametrize(
    ("unit", "expected"), [(0.0, 0), (0.5, 3), (0.58, 3), (0.59, 4), (1.0, 6), (1.7, 6), (-0.2, 0)]
)
def test_points_fall_on_the_steps_of_the_scale(unit, expected):
    assert points(SIX, unit) == expected


def test_without_steps_points_keep_two_decimals():
    assert points({"min": 0, "max": 100, "step": None}, 0.71498) == 71.5


@pytest.mark.parametrize(
    ("unit", "level"), [(0.0, "Poor"), (0.39, "Poor"), (0.4, "Fair"), (0.6, "Good"), (0.8, "Excellent")]
)
def test_the_level_is_the_highest_that_the_score_reaches(unit, level):
    score = criterion_score(default_criteria()[0], UnitScore(unit, unit, unit), 0.9)
    assert score["level"] == level and len(score["feedback"]) == 1


def test_a_levels_own_description_is_the_feedback():
    criterion = {**SIX, "levels": [{"name": "Weak", "from": 0, "description": "Begin again."}]}
    assert criterion_score(criterion, UnitScore(0.2, 0, 1), 0.9)["feedback"] == ["Begin again."]


def test_the_overall_score_weighs_criteria():
    criteria = [{**SIX, "weight": 3}, {**SIX, "weight": 1}]
    overall = overall_score(criteria, [UnitScore(1, 1, 1), UnitScore(0, 0, 0)], UnitScore(0.5, 0.4, 0.7))
    assert overall == {"score": 4.5, "min": 0, "max": 6, "interval": [3.9, 5.7]}


def test_criteria_of_different_scales_are_summed_up_from_0_to_100():
    overall = overall_score([SIX, {**SIX, "max": 10}], [UnitScore(0.5, 0, 1)] * 2, UnitScore(0.5, 0.4, 0.6))
    assert (overall["score"], overall["min"], overall["max"]) == (50, 0, 100)


def test_a_criterion_that_the_head_does_not_measure_is_refused_with_what_it_does():
    assert measured([SIX, {**SIX, "measures": "Relevance"}, {**SIX, "measures": "grammar"}], HEAD) == [0, 2, 3]
    with pytest.raises(Unscorable, match=r"Humour.*Academic_Writing"):
        measured([{"name": "Humour"}], HEAD)


def test_a_person_should_look_when_something_says_so():
    assert review_reasons(UnitScore(0.5, 0.4, 0.6), [], False) == []
    assert review_reasons(UnitScore(0.5, 0, 1), [{"code": "off_topic", "message": ""}], True) == [
        "off_topic", "degraded", "wide_interval",
    ]  # fmt: skip


def test_an_interval_keeps_its_ends_between_steps_and_holds_the_score():
    assert criterion_score(SIX, UnitScore(0.5, 0.43, 0.57), 0.9)["interval"] == [2.58, 3.42]
    assert criterion_score(SIX, UnitScore(0.59, 0.58, 0.6), 0.9)["interval"] == [3.48, 4.0]
