"""What a second human rater tells: how well people agree, how far the machine falls short, and the error in truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from worker.report.measures import NO_SPREAD, Scale, categorical, corr, plain, plainly, pooled_smd, sd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Figures = dict[str, Any]

# What can be lost against a second person (RSMTool's table of degradation).
LOST = ("corr", "wtkappa", "kappa", "exact_agr", "adj_agr")


def human_human(first: Array, second: Array, scale: Scale) -> Figures | None:
    """Agreement of the two raters on what both have scored; None below two such scores. `second` has NaN elsewhere."""
    both = ~np.isnan(second)
    if both.sum() < 2:
        return None
    one, other = first[both], second[both]
    figures = {
        "h1_mean": one.mean(), "h1_sd": sd(one), "h2_mean": other.mean(), "h2_sd": sd(other),
        "corr": corr(one, other), "SMD": pooled_smd(one, other),
    }  # fmt: skip
    return {"N": int(both.sum()), **plainly(figures), **categorical(one, other, scale)}


def degradation(machine: Figures, human: Figures) -> Figures:
    """Machine-human minus human-human: below 0, the machine agrees less than a second person does."""
    both = [name for name in LOST if machine.get(name) is not None and human.get(name) is not None]
    return {name: plain(machine[name] - human[name]) for name in both}


def prmse(machine: Array, ratings: Array) -> float | None:
    """Proportional reduction in mean squared error when true scores are predicted (Loukina et al. 2020, section 3).

    `ratings` (n, raters), NaN where a rater gave none. The variance of raters' errors comes from what several rated;
    None when nobody did, or when the human scores hold no truth beyond their errors.
    """
    count = (~np.isnan(ratings)).sum(axis=1)
    if not (count > 1).any():
        return None
    error = rater_variance(ratings[count > 1], count[count > 1])
    mean = np.nanmean(ratings, axis=1)
    true = _true_variance(ratings, mean, count, error)
    missed = (float((count * (mean - machine) ** 2).sum()) - len(machine) * error) / float(count.sum())
    return plain(1 - missed / true) if true > NO_SPREAD else None


def rater_variance(ratings: Array, count: NDArray[np.int64]) -> float:
    """Variance of the errors of raters: each text's variance, weighted by its ratings less one."""
    return float(np.average(np.nanvar(ratings, ddof=1, axis=1), weights=count - 1))


def _true_variance(ratings: Array, mean: Array, count: NDArray[np.int64], error: float) -> float:
    """Variance of true scores: that of the texts' means, less what the raters' errors put into it."""
    squares = float((count * (mean - np.nanmean(ratings)) ** 2).sum())
    total = float(count.sum())
    return (squares - (len(ratings) - 1) * error) / (total - float((count**2).sum()) / total)
