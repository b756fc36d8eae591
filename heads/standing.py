"""Fitting the standing head: ridge on inputs and scores that are both standardised within each assignment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save
from sklearn.linear_model import Ridge

from heads.agreement import by_assignment, means
from heads.corpora import Corpus
from worker.head.evidence import Evidence
from worker.head.standing import COLUMNS, FILE, Baseline, Standing, baseline_of
from worker.head.teaching import Criterion, teach
from worker.head.traits import CRITERIA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# Chosen with assignments left out: kappa 0.585 to 0.594 for 3,000 to 10,000 and weights of 3 to 6; with every assignment of
# equal weight, 0.600 and 0.600 to 0.601 for 5,000 to 20,000 and weights of 4 to 9; with vectors of windows of 256, traits 0.5995
# to 0.6020 for 10,000 to 40,000 and weights of 6 and 9.
ALPHA, SURFACE_WEIGHT = 20_000.0, 9.0
CONFIDENCE = 0.9


def fit_standing(inputs: Array, surface: int, corpus: Corpus, model: str, revision: str) -> Standing:
    """Of inputs (n, K) in which every assignment has many essays."""
    x, z = np.zeros_like(inputs, np.float32), np.full((len(inputs), len(COLUMNS)), np.nan)
    unit = np.c_[corpus.targets, np.nanmean(corpus.targets, axis=1)]
    groups = np.unique(corpus.groups)
    equal = np.zeros(len(inputs))  # the next assignment may be like any of these: each counts the same
    means_, sds = [], []
    for group in groups:
        rows = corpus.groups == group
        x[rows] = baseline_of(inputs[rows])(inputs[rows])
        equal[rows] = 1 / rows.sum()
        known = ~np.isnan(unit[rows]).all(axis=0)
        mean, sd = np.full(len(COLUMNS), np.nan), np.full(len(COLUMNS), np.nan)
        mean[known], sd[known] = np.nanmean(unit[rows][:, known], axis=0), np.nanstd(unit[rows][:, known], axis=0)
        z[rows] = (unit[rows] - mean) / np.where(sd == 0, 1.0, sd)
        means_.append(mean)
        sds.append(sd)
    importance = np.r_[np.ones(x.shape[1] - surface), np.full(surface, SURFACE_WEIGHT)]
    weights, bias = np.zeros((x.shape[1], len(COLUMNS))), np.zeros(len(COLUMNS))
    for k in range(len(COLUMNS)):
        if np.isnan(z[:, k]).all():
            z[:, k] = z[:, -1]  # a criterion that nobody graded goes by the whole
        known = ~np.isnan(z[:, k])
        fitted = Ridge(ALPHA).fit(x[known] * importance, z[known, k], equal[known] / equal[known].mean())
        weights[:, k], bias[k] = fitted.coef_ * importance, fitted.intercept_
    nothing = np.zeros(len(COLUMNS))
    return Standing(weights, bias, _usual(np.array(means_)), _usual(np.array(sds)), nothing, model, revision)


def _usual(figures: Array) -> Array:
    """(5,) the mean over assignments; the whole text's where none has a figure."""
    filled = np.where(np.isnan(figures).all(axis=0), figures[:, -1:], figures)
    return np.asarray(np.nanmean(filled, axis=0))


def measured_standing(inputs: Array, evidence: Evidence, corpus: Corpus, model: str, revision: str) -> dict[str, Any]:
    """Agreement with every assignment of a standing head that was fitted on the others, with the cohort's baseline."""
    scores = left_out(inputs, evidence.surface.shape[1], corpus, model, revision)
    table = by_assignment(corpus, scores)
    asap = {group: row for group, row in table.items() if group != "ellipse"}
    return {"by_assignment": table, "means": means(asap), "half_widths": half_widths(corpus, scores)}


def left_out(inputs: Array, surface: int, corpus: Corpus, model: str, revision: str) -> Array:
    """(n, 4) scores of every assignment's essays by a standing head that was fitted on the others."""
    scores = np.zeros_like(corpus.targets)
    criteria = [Criterion(name, name, 0.0, 1.0, 1.0) for name in CRITERIA]
    for group in np.unique(corpus.groups):
        mine = corpus.groups == group
        others = corpus.pick(~mine)
        standing = fit_standing(inputs[~mine], surface, others, model, revision)
        nobody = np.full((int(mine.sum()), len(CRITERIA)), np.nan)
        numbers, _ = teach(inputs[mine], surface, nobody, criteria, standing)
        x = Baseline(numbers.mean, numbers.scale)(inputs[mine])
        scores[mine] = np.clip(x @ numbers.weights + numbers.bias, 0, 1)
    return scores


def half_widths(corpus: Corpus, scores: Array) -> list[float]:
    """Of intervals, by column of the standing head: a criterion that nobody graded has those of the others."""
    apart = np.abs(scores - corpus.targets)
    known = ~np.isnan(apart).all(axis=0)
    found = np.nanquantile(apart[:, known], CONFIDENCE, axis=0)
    widths = np.full(len(CRITERIA), found.mean())
    widths[known] = found
    return [*widths.tolist(), float(widths.mean())]


def write_standing(standing: Standing, folder: Path) -> None:
    """Writes `standing.safetensors`; what it was fitted for stands in the file's metadata."""
    names = ("weights", "bias", "mean", "sd", "half_widths")
    arrays = {name: np.asarray(getattr(standing, name), np.float32) for name in names}
    about = {"model": standing.model, "revision": standing.revision, "columns": ",".join(COLUMNS)}
    (folder / FILE).write_bytes(save(arrays, metadata=about))
