"""The whole report of a head: each criterion and the overall score, on predictions that were made without the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from db.rubric import weights_of
from worker.head.agreement import STEPS, places_of, step_of
from worker.head.teaching import folds_of
from worker.report.fairness import subgroups
from worker.report.intervals import intervals
from worker.report.measures import Scale, continuous, plain, rounded, sd
from worker.report.raters import degradation, human_human, prmse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Figures = dict[str, Any]

# The form of the report; it is stored, so a later form has to tell itself from this one.
FORM = 1
FEWEST = 2
MOST_POINTS = 2000


@dataclass(frozen=True)
class Evaluated:
    """What is compared: n texts, C criteria. NaN where nobody graded, or nothing was predicted."""

    human: Array  # (n, C) on the rubric's scales
    machine: Array  # (n, C) from 0 to 1, by heads that have not seen the text
    second: Array  # (n, C) the second rater's
    groups: Mapping[str, Sequence[str | None]]
    half_widths: Array  # (C + 1,) of the intervals, from 0 to 1; the last is the overall score's
    curve: Mapping[int, Array] = field(default_factory=dict)  # predictions (n, C) by the number of examples


@dataclass(frozen=True)
class Column:
    """One score of all texts."""

    scale: Scale
    human: Array
    machine: Array  # in points, too
    second: Array
    half: float
    curve: Mapping[int, Array]


def report_of(criteria: Sequence[dict[str, Any]], found: Evaluated) -> Figures:
    """Figures by criterion, and of the overall score, which is left out where no text has all of it."""
    done = {c["name"]: figures(_column(c, k, found), found.groups) for k, c in enumerate(criteria)}
    whole = figures(_overall(criteria, found), found.groups)
    return {"form": FORM, "criteria": {n: f for n, f in done.items() if f}, "overall": whole}


def figures(column: Column, groups: Mapping[str, Sequence[str | None]]) -> Figures | None:
    """Everything that is said of one score; None when fewer than two texts have it."""
    both = np.flatnonzero(~np.isnan(column.human) & ~np.isnan(column.machine))
    if len(both) < FEWEST:
        return None
    scale, human, second = column.scale, column.human[both], column.second[both]
    machine = scale.trimmed(column.machine[both])
    labels = {name: [each[n] for n in both.tolist()] for name, each in groups.items()}
    span = scale.high - scale.low
    return {
        "scale": {"min": scale.low, "max": scale.high, "step": scale.step},
        "n": len(both), "h_mean": plain(human.mean()), "h_sd": plain(sd(human)),
        "raw_trim": continuous(human, machine), "raw_trim_round": rounded(human, machine, scale),
        **_second(human, machine, second, scale),
        "intervals": _in_points(intervals((human - scale.low) / span, (machine - scale.low) / span, column.half), span),
        "subgroups": {n: f for n, each in labels.items() if (f := subgroups(human, machine, each))},
        "confusion": confusion(human, machine, scale),
        "points": points(human, machine),
        "learning_curve": curve_of(column, both),
    }  # fmt: skip


def _second(human: Array, machine: Array, second: Array, scale: Scale) -> Figures:
    people = human_human(human, second, scale)
    if people is None:
        return {"human_human": None, "degradation": None, "PRMSE": None}
    lost = {
        "raw_trim": degradation(continuous(human, machine), people),
        "raw_trim_round": degradation(rounded(human, machine, scale), people),
    }
    return {"human_human": people, "degradation": lost, "PRMSE": prmse(machine, np.stack([human, second], axis=1))}


def _in_points(found: Figures, span: float) -> Figures:
    return {**found, "mean_width": plain(found["mean_width"] * span)}


def confusion(human: Array, machine: Array, scale: Scale) -> Figures:
    """How often which human score (row) met which machine score (column); more than 20 steps are put together."""
    steps = round((scale.high - scale.low) / scale.step)
    wide = scale.step * max(1, -(-steps // STEPS))
    count = round((scale.high - scale.low) / wide) + 1
    table = np.zeros((count, count), np.int64)
    np.add.at(table, tuple(places_of(each, scale.low, scale.high, wide) for each in (human, machine)), 1)
    return {"labels": [plain(scale.low + wide * n) for n in range(count)], "counts": table.tolist()}


def points(human: Array, machine: Array) -> list[list[float]]:
    """Pairs of scores, to three decimals; a sample when there are very many."""
    some = np.sort(np.random.default_rng(0).permutation(len(human))[:MOST_POINTS])
    return [[round(float(human[n]), 3), round(float(machine[n]), 3)] for n in some]


def curve_of(column: Column, both: NDArray[np.int64]) -> list[Figures]:
    """Kappa of rounded held-out scores by the number of examples; the last is that of the report's own predictions."""
    last = len(both) - len(both) // folds_of(len(both))
    kept = {size: scores for size, scores in column.curve.items() if size < last}
    out = []
    for size, machine in {**kept, last: column.machine}.items():
        rows = both[~np.isnan(machine[both])]
        if len(rows) >= FEWEST:
            human = column.human[rows]
            known = rounded(human, column.scale.trimmed(machine[rows]), column.scale)
            out.append({"examples": size, "n": len(rows), "wtkappa": known["wtkappa"], "corr": known["corr"]})
    return out


def _column(criterion: dict[str, Any], k: int, found: Evaluated) -> Column:
    low, high = float(criterion["min"]), float(criterion["max"])
    human = found.human[:, k]
    step = step_of(criterion, human[~np.isnan(human)])
    curve = {size: low + (high - low) * each[:, k] for size, each in found.curve.items()}
    machine = low + (high - low) * found.machine[:, k]
    return Column(Scale(low, high, step), human, machine, found.second[:, k], float(found.half_widths[k]), curve)


def _overall(criteria: Sequence[dict[str, Any]], found: Evaluated) -> Column:
    """The weighted mean of the criteria, on the scale that all share or else from 0 to 100, as jobs show it."""
    ends = np.array([(float(c["min"]), float(c["max"])) for c in criteria])
    weights = np.array(weights_of(criteria))
    weights /= weights.sum()
    low, high = ends[0] if len(np.unique(ends, axis=0)) == 1 else (0.0, 100.0)

    def whole(unit: Array) -> Array:
        return np.asarray(low + (high - low) * (unit @ weights))

    human, second = (whole((each - ends[:, 0]) / (ends[:, 1] - ends[:, 0])) for each in (found.human, found.second))
    step = step_of({"min": low, "max": high}, human[~np.isnan(human)])
    curve = {size: whole(each) for size, each in found.curve.items()}
    half = float(found.half_widths[-1])
    return Column(Scale(float(low), float(high), step), human, whole(found.machine), second, half, curve)
