"""What the kernel of a taught head compares."""

from __future__ import annotations

import numpy as np
import pytest

from worker.head.kernel import Fitted, mixed
from worker.head.views import GAMMA, nearness, parts_of, radial, scaled, views_of


def test_the_parts_are_three_layers_and_the_surface_features_and_the_last_layer_is_never_the_longer():
    assert parts_of(1152, 55).tolist() == [384, 384, 384, 55]
    assert parts_of(8, 2).tolist() == [4, 2, 2, 2]  # two outputs of the checkpoint's own


def test_each_view_counts_the_mean_squared_difference_of_what_it_sees():
    whole, vectors, surface, last, middle, early = views_of(np.array([2, 2, 2, 4]))
    assert whole == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 4]) and vectors == pytest.approx([1 / 6, 1 / 6, 1 / 6, 0])
    assert surface.tolist() == [0, 0, 0, 1 / 4]
    assert [last.tolist(), middle.tolist(), early.tolist()] == [[0, 0, 0.5, 0], [0, 0.5, 0, 0], [0.5, 0, 0, 0]]


def test_nearness_is_worked_out_by_hand_and_is_what_a_fit_sees():
    parts = np.array([1, 1, 1, 1])
    views = views_of(parts)
    x, centres = np.array([[0.0, 0, 0, 2]]), np.array([[0.0, 0, 0, 0], [0.0, 3, 0, 2]])
    whole, vectors, surface, last, middle, early = (each[0].tolist() for each in nearness(x, centres, parts, views))
    assert whole == pytest.approx(np.exp([-GAMMA * 4, -GAMMA * 9 / 3]))
    assert vectors == pytest.approx(np.exp([0, -GAMMA * 9 / 3])) and surface == pytest.approx(np.exp([-GAMMA * 4, 0]))
    assert [last, early] == [[1, 1], [1, 1]] and middle == pytest.approx(np.exp([0, -GAMMA * 9]))
    for view, near in zip(views, nearness(centres, centres, parts, views), strict=True):
        seen = scaled(centres, parts, view)
        lengths = (seen**2).sum(axis=1)
        assert radial(lengths, lengths, seen @ seen.T) == pytest.approx(near)


def fitted(held_out):
    return Fitted(np.ones(2), float(np.mean(held_out)), np.ones((1, len(held_out))), np.asarray(held_out, float))


def test_views_that_do_well_alone_get_the_weight_when_there_are_many_examples_and_none_below_zero():
    draw = np.random.default_rng(0)
    y = draw.standard_normal(2000)
    good, bad, wrong = fitted(y + 0.1 * draw.standard_normal(2000)), fitted(draw.standard_normal(2000)), fitted(-y)
    weights = mixed([good, bad, wrong], y).alphas[:, 0]
    assert weights[0] > 0.9 and weights[1] < 0.05 and (weights >= 0).all() and weights[2] == pytest.approx(0)


def test_views_count_alike_when_hardly_anything_is_seen():
    y = np.array([0.4, 0.6, 0.5])
    weights = mixed([fitted([0.45, 0.55, 0.5]), fitted([0.5, 0.5, 0.5])], y).alphas[:, 0]
    assert weights == pytest.approx([0.5, 0.5], abs=0.1)


def test_grades_that_are_all_the_same_stay_so():
    same = mixed([fitted([0.5, 0.5, 0.5]), fitted([0.5, 0.5, 0.5])], np.full(3, 0.5))
    assert same.bias == 0.5 and same.held_out.tolist() == [0.5, 0.5, 0.5]
