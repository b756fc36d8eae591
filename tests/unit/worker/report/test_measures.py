"""Figures by hand, and figures that are not there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.head.agreement import kappa
from worker.report.measures import Scale, continuous, corr, pooled_smd, r2, rounded, wtkappa
from worker.report.raters import degradation, human_human, prmse

SCALE = Scale(1.0, 5.0, 0.5)
HUMAN, MACHINE = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.5, 2.0, 3.0, 4.5])
scores = st.lists(st.floats(1, 5), min_size=2, max_size=30)


def test_agreement_by_hand():
    found = continuous(HUMAN, MACHINE)
    # Covariance 1.25, variances 1.25 and 1.3125, means 2.5 and 2.75 (all by n).
    assert found["wtkappa"] == pytest.approx(2 * 1.25 / (1.25 + 1.3125 + 0.0625))
    assert found["corr"] == pytest.approx(1.25 / (1.25 * 1.3125) ** 0.5, abs=1e-6)
    assert found["SMD"] == pytest.approx(0.25 / (5 / 3) ** 0.5, abs=1e-6)
    assert found["RMSE"] == pytest.approx(0.125**0.5, abs=1e-6)
    assert found["R2"] == pytest.approx(1 - 0.5 / 5)


def test_steps_are_the_scale_s_own():
    found = rounded(HUMAN, MACHINE, SCALE)
    assert (found["exact_agr"], found["adj_agr"], found["RMSE"]) == (50, 100, pytest.approx(0.125**0.5, abs=1e-6))
    coarse = rounded(HUMAN, np.array([1.2, 2.4, 3.4, 4.4]), Scale(1.0, 5.0, 1.0))
    assert (coarse["exact_agr"], coarse["wtkappa"], coarse["kappa"]) == (100, 1, 1)
    assert rounded(HUMAN, np.array([3.0, 4.0, 5.0, 5.0]), Scale(1.0, 5.0, 1.0))["adj_agr"] == 25


def test_scores_that_do_not_vary_have_no_correlation_and_no_standardised_difference():
    same = np.full(4, 3.0)
    found = continuous(same, MACHINE)
    assert (found["corr"], found["SMD"], found["R2"]) == (None, None, None)
    assert (corr(HUMAN, same), wtkappa(same, same), pooled_smd(same, same), r2(same, HUMAN)) == (None,) * 4


def test_kappa_knows_steps_that_nobody_gave():
    # 0 and 10 are ten steps apart, not one: 1 - 1 / mean squared distance of shuffled pairs.
    one, other = np.array([0, 0, 10, 10]), np.array([0, 1, 10, 10])
    shuffled = np.mean([(a - b) ** 2 for a in one for b in other])
    assert kappa(one, other, "quadratic") == pytest.approx(1 - 0.25 / shuffled)


def test_kappa_of_a_very_fine_scale_takes_no_memory_and_is_nearly_the_same():
    draw = np.random.default_rng(0)
    one = draw.integers(0, 10_001, 200)
    other = np.clip(one + draw.integers(-2000, 2000, 200), 0, 10_000)
    assert kappa(one, other, "quadratic") == pytest.approx(wtkappa(one.astype(float), other.astype(float)), abs=1e-4)


@given(scores, st.randoms(use_true_random=False))
def test_on_steps_the_continuous_kappa_is_scikit_learn_s(some, draw):
    human = SCALE.rounded(np.array(some))
    machine = SCALE.rounded(np.array([draw.uniform(1, 5) for _ in some]))
    both = rounded(human, machine, SCALE)["wtkappa"], wtkappa(human, machine)
    assert None in both or both[0] == pytest.approx(both[1], abs=1e-5)


def test_degradation_is_below_zero_when_the_machine_agrees_less_than_a_person():
    assert degradation({"corr": 0.6, "wtkappa": 0.8}, {"corr": 0.75, "wtkappa": 0.7}) == {"corr": -0.15, "wtkappa": 0.1}
    assert degradation({"corr": None}, {"corr": 0.75}) == {}


def test_without_a_second_rater_there_is_nothing_to_compare_with():
    nobody = np.full(4, np.nan)
    assert human_human(HUMAN, nobody, SCALE) is None
    assert prmse(MACHINE, np.stack([HUMAN, nobody], axis=1)) is None


def test_raters_who_never_differ_make_prmse_the_share_of_explained_variance():
    # No errors of raters: 1 - mean squared error / variance of the scores (by n - 1).
    assert prmse(MACHINE, np.stack([HUMAN, HUMAN], axis=1)) == pytest.approx(1 - 0.125 / (5 / 3))
