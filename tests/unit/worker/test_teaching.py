"""Teaching a head on made submissions, whose quality is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from worker.head.agreement import agreement_of, figures
from worker.head.evidence import Evidence
from worker.head.standing import COLUMNS, Standing, column_of
from worker.head.taught import Taught, likeness, packed, unpacked
from worker.head.teaching import Criterion, teach

VECTORS, SURFACE = 40, 6
POINTS = Criterion("Structure", "Structure", 0.0, 6.0, 1.0)


def made(n, seed=0):
    """(n, K) inputs and (n,) a quality that lies along some of them, with noise."""
    draw = np.random.default_rng(seed)
    inputs = draw.standard_normal((n, VECTORS + SURFACE)) * 3 + 7
    quality = (inputs[:, :5].sum(axis=1) - 35) / 3 / 5**0.5
    return inputs, quality + 0.3 * draw.standard_normal(n)


def standing(right=1.0):
    """Knows the quality when `right` is 1, and nothing when it is 0."""
    weights = np.zeros((VECTORS + SURFACE, len(COLUMNS)))
    weights[:5] = right / 5**0.5
    even = np.full(len(COLUMNS), 0.5)
    return Standing(weights, np.zeros(len(COLUMNS)), even, even / 3, even / 2, "m", "r")


def graded(quality, rows):
    scores = np.full((len(quality), 1), np.nan)
    scores[rows, 0] = np.clip(np.rint(3 + quality * 1.5), 0, 6)[rows]
    return scores


def head_of(numbers):
    data, _ = packed(numbers)
    return unpacked(data, {"criteria": ["Structure"], "importance": [1.0]}, "taught", "m", "r")


def scores_of(head: Taught, inputs):
    nothing = np.zeros((len(inputs), 5))
    words = np.full(len(inputs), 300)
    return head.predict(Evidence(inputs[:, :VECTORS].astype(np.float32), inputs[:, VECTORS:], nothing, words))


def error(head, inputs, quality):
    return float(np.sqrt(np.mean((scores_of(head, inputs).scores[:, 0] * 6 - np.clip(3 + quality * 1.5, 0, 6)) ** 2)))


def test_a_cohort_alone_puts_submissions_in_their_order_with_the_usual_mean_and_spread():
    inputs, quality = made(200)
    numbers, predicted = teach(inputs, SURFACE, graded(quality, []), [POINTS], standing())
    scores = scores_of(head_of(numbers), inputs).scores[:, 0]
    assert np.corrcoef(scores, quality)[0, 1] > 0.9
    assert scores.mean() == pytest.approx(0.5, abs=0.02)
    assert scores.std() == pytest.approx(0.5 / 3, abs=0.02)
    assert np.isnan(predicted).all()


def test_forty_examples_on_a_cohort_are_better_than_the_cohort_alone():
    inputs, quality = made(200)
    rows = np.arange(40)
    alone, _ = teach(inputs, SURFACE, graded(quality, []), [POINTS], standing())
    taught, _ = teach(inputs, SURFACE, graded(quality, rows), [POINTS], standing())
    assert error(head_of(taught), inputs[40:], quality[40:]) < error(head_of(alone), inputs[40:], quality[40:])


def test_many_examples_teach_what_standing_does_not_know():
    inputs, quality = made(500)
    numbers, _ = teach(inputs, SURFACE, graded(quality, np.arange(400)), [POINTS], standing(right=0.0))
    scores = scores_of(head_of(numbers), inputs[400:]).scores[:, 0]
    assert np.corrcoef(scores, quality[400:])[0, 1] > 0.8


def test_intervals_of_ninety_percent_hold_about_ninety_percent_of_new_scores():
    inputs, quality = made(700)
    numbers, _ = teach(inputs, SURFACE, graded(quality, np.arange(300)), [POINTS], standing())
    done = scores_of(head_of(numbers), inputs[300:])
    human = graded(quality, np.arange(700))[300:, 0] / 6
    inside = (human >= done.low[:, 0] - 1e-6) & (human <= done.high[:, 0] + 1e-6)
    assert 0.85 <= inside.mean() <= 0.95


def test_a_text_that_is_unlike_all_examples_is_said_to_be_unusual():
    inputs, quality = made(100)
    numbers, _ = teach(inputs, SURFACE, graded(quality, np.arange(30)), [POINTS], standing())
    strange = np.vstack([inputs[:1], np.full((1, VECTORS + SURFACE), 400.0)])
    assert scores_of(head_of(numbers), strange).unusual.tolist() == [False, True]


def test_a_text_about_something_else_is_unusual_though_none_of_its_inputs_is_far_out():
    inputs, quality = made(100)
    inputs[:, :VECTORS] += np.linspace(-20, 20, VECTORS)  # what this assignment is about
    numbers, _ = teach(inputs, SURFACE, graded(quality, np.arange(30)), [POINTS], standing())
    turned = inputs[:5].copy()
    turned[:, VECTORS - 13 : VECTORS] = inputs[:5, VECTORS - 13 : VECTORS][:, ::-1] * np.where(
        np.arange(13) % 2, 1, 0.2
    )
    head = head_of(numbers)
    assert not scores_of(head, inputs).unusual[:5].any() and scores_of(head, turned).unusual.all()


def test_a_head_that_knows_no_likeness_still_judges_by_its_inputs():
    inputs, quality = made(60)
    numbers, _ = teach(inputs, SURFACE, graded(quality, np.arange(30)), [POINTS], standing())
    old = head_of(replace(numbers, far=numbers.far[:1]))
    strange = np.vstack([inputs[:1], np.full((1, VECTORS + SURFACE), 400.0)])
    assert scores_of(old, strange).unusual.tolist() == [False, True]


def test_likeness_is_the_cosine_of_the_last_layers():
    # three layers of two numbers each: only the last two count
    assert likeness(np.array([[9.0, 9, 9, 9, 3, 4]]), np.array([0.0, 0, 0, 0, 4, 3])) == pytest.approx([24 / 25])


def test_a_score_is_the_same_alone_and_in_company():
    inputs, quality = made(60)
    numbers, _ = teach(inputs, SURFACE, graded(quality, np.arange(30)), [POINTS], standing())
    head = head_of(numbers)
    alone = np.vstack([scores_of(head, inputs[k : k + 1]).scores for k in range(60)])
    assert np.abs(alone - scores_of(head, inputs).scores).max() < 1e-4


@given(st.integers(10, 60), st.integers(0, 6), st.integers(0, 6), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_any_grades_on_the_scale_make_a_head_whose_scores_are_on_the_scale(n, low, high, draw):
    inputs, _ = made(80, seed=n)
    scores = np.full((80, 1), np.nan)
    scores[:n, 0] = [draw.randint(min(low, high), max(low, high)) for _ in range(n)]
    numbers, _ = teach(inputs, SURFACE, scores, [POINTS], standing())
    done = scores_of(head_of(numbers), inputs)
    assert np.isfinite(done.scores).all() and (done.low <= done.scores).all() and (done.scores <= done.high).all()


def test_a_trait_goes_by_its_criterion_and_the_whole_and_an_unknown_measure_by_the_whole():
    assert column_of("grammar").tolist() == [0, 0, 0, 0.5, 0.5]
    assert column_of(None).tolist() == [0, 0, 0, 0, 1]


def test_a_quality_that_one_part_shows_is_learned_though_the_others_say_nothing():
    draw = np.random.default_rng(1)
    inputs = draw.standard_normal((300, VECTORS + SURFACE))
    quality = np.abs(inputs[:, -SURFACE:]).sum(axis=1) - SURFACE * 0.8  # no straight line finds it
    numbers, predicted = teach(inputs, SURFACE, graded(quality, np.arange(200)), [POINTS], standing(right=0.0))
    part = np.abs(numbers.alphas[:, :, 0]).sum(axis=1)
    assert part.argmax() == 2  # the view of the surface features alone
    scores = scores_of(head_of(numbers), inputs[200:]).scores[:, 0]
    assert np.corrcoef(scores, quality[200:])[0, 1] > 0.6
    assert np.corrcoef(predicted[:200, 0], quality[:200])[0, 1] > 0.6


def test_a_head_of_before_there_were_views_scores_as_it_did():
    draw = np.random.default_rng(2)
    metric = np.r_[np.full(VECTORS, (0.6 / VECTORS) ** 0.5), np.full(SURFACE, (0.6 / SURFACE) ** 0.5)]
    examples, alphas = draw.standard_normal((20, VECTORS + SURFACE)), draw.standard_normal((20, 1)) / 20
    kept = {
        "mean": np.zeros(VECTORS + SURFACE), "scale": np.ones(VECTORS + SURFACE), "bias": np.array([0.5]),
        "weights": np.zeros((VECTORS + SURFACE, 1)), "metric": metric, "alphas": alphas, "half_widths": np.full(2, 0.2),
        "far": np.array([9.0]),
    }  # fmt: skip
    arrays = {name: each.astype(np.float32) for name, each in kept.items()}
    data = save({**arrays, "centres": (examples * metric).astype(np.float16)})
    head = unpacked(data, {"criteria": ["Structure"], "importance": [1.0], "features": SURFACE}, "old", "m", "r")
    inputs = draw.standard_normal((5, VECTORS + SURFACE))
    apart = ((inputs[:, None] - examples[None]) * metric) ** 2
    by_hand = 0.5 + np.exp(-apart.sum(axis=2)) @ alphas[:, 0]
    assert scores_of(head, inputs).scores[:, 0] == pytest.approx(by_hand, abs=1e-3)


def test_agreement_by_hand():
    human, machine = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 4.0, 4.0])
    shown = figures(human, machine, 0.0, 6.0, 1.0)
    # 1 - sum of squared differences over their expectation when the pairs are shuffled (Cohen 1968).
    observed, expected = 1.0, sum((h - m) ** 2 for h in human for m in machine) / 4
    assert shown["qwk"] == pytest.approx(1 - observed / expected, abs=1e-3)
    assert (shown["exact"], shown["adjacent"], shown["n"]) == (0.75, 1.0, 4)
    assert shown["smd"] == pytest.approx(0.25 / human.std(ddof=1), abs=1e-3)
    assert shown["rmse"] == pytest.approx(0.5)


def test_agreement_of_scores_that_never_vary_has_no_kappa():
    criterion = {"name": "Structure", "min": 0, "max": 6, "step": 1}
    shown = agreement_of([criterion], np.full((5, 1), 3.0), np.full((5, 1), 0.5))
    assert (shown["Structure"]["qwk"], shown["Structure"]["exact"]) == (None, 1.0)
