"""Agreement of two sets of scores, by RSMTool's formulas (https://rsmtool.readthedocs.io/en/stable/evaluation.html).

Everything is in points of the scale; agreement in percent, as RSMTool gives it. `kappa` and the quadratic weighted kappa
of rounded scores are scikit-learn's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.head.agreement import kappa, places_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Figures = dict[str, Any]

# A spread below this is none (RSMTool's tolerance).
NO_SPREAD = 1e-7


@dataclass(frozen=True)
class Scale:
    """Where scores lie; `step` parts it into the categories of exact agreement and kappa."""

    low: float
    high: float
    step: float

    def trimmed(self, scores: Array) -> Array:
        return np.asarray(np.clip(scores, self.low, self.high), np.float64)

    def rounded(self, scores: Array) -> Array:
        """Trimmed scores on the nearest step."""
        return np.asarray(self.low + self.step * places_of(scores, self.low, self.high, self.step), np.float64)


def plain(value: float | np.floating[Any] | None) -> float | None:
    """A number that JSON can hold, to six decimals; None for what is not known."""
    return None if value is None or not np.isfinite(value) else round(float(value), 6)


def plainly(figures: Figures) -> Figures:
    return {name: value if isinstance(value, int) else plain(value) for name, value in figures.items()}


def sd(scores: Array) -> float:
    """Standard deviation of a sample."""
    return float(scores.std(ddof=1)) if len(scores) > 1 else 0.0


def corr(human: Array, machine: Array) -> float | None:
    """Pearson's r; None when one of the two does not vary."""
    if min(sd(human), sd(machine)) < NO_SPREAD:
        return None
    return float(np.corrcoef(human, machine)[0, 1])


def wtkappa(human: Array, machine: Array) -> float | None:
    """Quadratic weighted kappa of continuous scores: 2 cov / (var + var + (difference of means)²) (Haberman 2019)."""
    below = float(human.var() + machine.var() + (human.mean() - machine.mean()) ** 2)
    return 2 * float(np.cov(human, machine, ddof=0)[0, 1]) / below if below > NO_SPREAD else None


def smd(human: Array, machine: Array) -> float | None:
    """Standardised mean difference, (M - H) / sd(H)."""
    spread = sd(human)
    return float(machine.mean() - human.mean()) / spread if spread >= NO_SPREAD else None


def pooled_smd(human: Array, second: Array) -> float | None:
    """The same between two people, neither of whom is the measure: over the pooled standard deviation."""
    spread = float(np.sqrt((sd(human) ** 2 + sd(second) ** 2) / 2))
    return float(second.mean() - human.mean()) / spread if spread >= NO_SPREAD else None


def rmse(human: Array, machine: Array) -> float:
    """Root mean square error."""
    return float(np.sqrt(np.mean((human - machine) ** 2)))


def r2(human: Array, machine: Array) -> float | None:
    """1 - squared errors / squared distances of the human scores from their mean: below 0 when the mean would be better."""
    total = float(((human - human.mean()) ** 2).sum())
    return 1 - float(((human - machine) ** 2).sum()) / total if total > NO_SPREAD else None


def continuous(human: Array, machine: Array) -> Figures:
    """RSMTool's figures of scores as they are (`raw_trim`)."""
    return plainly({
        "sys_mean": machine.mean(), "sys_sd": sd(machine), "corr": corr(human, machine),
        "wtkappa": wtkappa(human, machine), "SMD": smd(human, machine), "R2": r2(human, machine),
        "RMSE": rmse(human, machine),
    })  # fmt: skip


def categorical(human: Array, machine: Array, scale: Scale) -> Figures:
    """Kappas, and exact and adjacent (one step at most) agreement in percent, of scores on steps."""
    one, other = (places_of(each, scale.low, scale.high, scale.step) for each in (human, machine))
    apart = np.abs(one - other)
    return plainly({
        "wtkappa": kappa(one, other, "quadratic"), "kappa": kappa(one, other),
        "exact_agr": 100 * (apart == 0).mean(), "adj_agr": 100 * (apart <= 1).mean(),
    })  # fmt: skip


def rounded(human: Array, machine: Array, scale: Scale) -> Figures:
    """RSMTool's figures of scores that were rounded to steps (`raw_trim_round`)."""
    return continuous(human, scale.rounded(machine)) | categorical(human, machine, scale)
