"""The figures beside RSMTool's own, of the same scores.

The constants come from rsmtool 12.0.0 (installed as a whole, numpy 1.26.4), from the functions that each test names. Scores
are made without a random generator, so that every numpy makes the same.
"""

from __future__ import annotations

import numpy as np
import pytest

from worker.report.fairness import subgroups
from worker.report.measures import Scale, continuous, rounded
from worker.report.raters import human_human, prmse, rater_variance

SCALE = Scale(0.0, 6.0, 1.0)
I = np.arange(60)  # noqa: E741
HUMAN = ((I * 7 + I // 5) % 7).astype(float)
SECOND = np.where(I % 3 == 2, np.nan, np.clip(HUMAN + ((I * 5) % 3 - 1) * (I % 2), 0, 6))
MACHINE = np.clip(0.75 * HUMAN + 1.0 + ((I * 37) % 20 - 9.5) / 8, 0, 6)
GROUP = ["A" if n % 11 < 6 else "B" if n % 11 < 9 else "C" for n in I]


def same(value):
    return pytest.approx(value, abs=2e-6)


def test_figures_of_scores_as_they_are():
    # rsmtool.analyzer.Analyzer.metrics_helper(human, machine)
    assert continuous(HUMAN, MACHINE) == same({
        "wtkappa": 0.848145, "SMD": 0.186838, "corr": 0.88421, "R2": 0.741662, "RMSE": 0.938541,
        "sys_mean": 2.93125, "sys_sd": 1.519327,
    })  # fmt: skip


def test_figures_of_rounded_scores():
    # rsmtool.analyzer.Analyzer.metrics_helper(human, rint(machine))
    assert rounded(HUMAN, MACHINE, SCALE) == same({
        "kappa": 0.252459, "wtkappa": 0.816901, "exact_agr": 36.666667, "adj_agr": 85.0, "SMD": 0.223759,
        "corr": 0.856779, "R2": 0.682281, "RMSE": 1.040833, "sys_mean": 3.0, "sys_sd": 1.540416,
    })  # fmt: skip


def test_two_people():
    # rsmtool.analyzer.Analyzer.metrics_helper(human, second, smd_method="pooled"), of what both have scored
    assert human_human(HUMAN, SECOND, SCALE) == same({
        "N": 40, "kappa": 0.498155, "wtkappa": 0.938182, "exact_agr": 57.5, "adj_agr": 100.0, "SMD": 0.013315,
        "corr": 0.938687, "h1_mean": 2.6, "h1_sd": 1.905458, "h2_mean": 2.625, "h2_sd": 1.84929,
    })  # fmt: skip


def test_the_reduction_of_error_in_truth():
    # rsmtool.utils.prmse.prmse_true and .variance_of_errors
    ratings = np.stack([HUMAN, SECOND], axis=1)
    assert prmse(MACHINE, ratings) == same(0.7748994)
    count = (~np.isnan(ratings)).sum(axis=1)
    assert rater_variance(ratings[count > 1], count[count > 1]) == same(0.2125)


def test_groups():
    # rsmtool.fairness_utils.get_fairness_analyses; DSM: metrics_helper(..., use_diff_std_means=True)
    found = subgroups(HUMAN, MACHINE, GROUP)
    assert found["base_group"] == "A"
    assert found["OSA"] == same({"R2": -0.01778278, "sig": 0.61847388})
    assert found["OSD"] == same({"R2": -0.02745608, "sig": 0.80984917})
    assert found["CSD"] == same({"R2": -0.02498734, "sig": 0.90952401})
    groups = found["groups"]
    assert [(g, groups[g]["n"], groups[g]["DSM"]) for g in groups] == [
        ("A", 35, same(0.021405)), ("B", 15, same(-0.037746)), ("C", 10, same(-0.0183)),
    ]  # fmt: skip
    assert [groups["B"][f"{m}_estimate"] for m in ("osa", "osd", "csd")] == same([-0.191146, -0.121429, -0.108787])
    assert [groups["C"][f"{m}_estimate"] for m in ("osa", "osd", "csd")] == same([0.214063, -0.183929, 0.018616])
