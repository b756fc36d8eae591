"""The standing head: how a text stands among the submissions of its own assignment, whatever that assignment is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load

from worker.errors import ModelUnavailable
from worker.head.ridge import standardised
from worker.head.traits import CRITERION_OF

if TYPE_CHECKING:
    from numpy.typing import NDArray

HERE = Path(__file__).parent
FILE = "standing.safetensors"
# What the columns stand for; the last is the whole text.
COLUMNS = ("Structure", "Clarity", "Relevance", "Academic_Writing", "overall")
# A criterion is judged half by its own column and half by the whole: together they agree better than either alone.
WHOLE = 0.5


@dataclass(frozen=True)
class Baseline:
    """Mean and spread of an assignment's submissions; (K,) each, vectors first, then surface features."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    def __call__(self, inputs: NDArray[np.floating]) -> NDArray[np.float64]:
        return standardised(inputs, self.mean, self.scale)


@dataclass(frozen=True)
class Standing:
    """Linear in standardised inputs. `mean` and `sd` are those of human scores, from 0 to 1, over known assignments."""

    weights: NDArray[np.float64]  # (K, 5)
    bias: NDArray[np.float64]  # (5,)
    mean: NDArray[np.float64]  # (5,)
    sd: NDArray[np.float64]  # (5,)
    half_widths: NDArray[np.float64]  # (5,) of 90 % intervals, on assignments that it was not fitted on
    model: str
    revision: str

    def __call__(self, standardised_inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 5) standard deviations above the assignment's mean."""
        return np.asarray(standardised_inputs @ self.weights + self.bias)


def baseline_of(inputs: NDArray[np.floating]) -> Baseline:
    """The baseline of an assignment from the inputs (n, K) of at least two of its submissions."""
    return Baseline(inputs.mean(axis=0, dtype=np.float64), inputs.std(axis=0, dtype=np.float64) + 1e-6)


def column_of(measures: str | None) -> NDArray[np.float64]:
    """(5,) how the columns mix for a measure; a criterion of the teacher's own goes by the whole."""
    mix = np.zeros(len(COLUMNS))
    name = CRITERION_OF.get(measures or "", measures)
    if name in COLUMNS[:-1]:
        mix[COLUMNS.index(str(name))], mix[-1] = 1 - WHOLE, WHOLE
    else:
        mix[-1] = 1.0
    return mix


def load_standing(model: str, revision: str, folder: Path = HERE) -> Standing:
    """The standing head for an encoder. ModelUnavailable when none was fitted for it."""
    from safetensors import safe_open

    with safe_open(folder / FILE, "np") as file:
        about = file.metadata() or {}
    if (about.get("model"), about.get("revision")) != (model, revision):
        raise ModelUnavailable(f"no standing head has been fitted for {model} at {revision}: see docs/grading.md")
    arrays = {name: value.astype(np.float64) for name, value in load((folder / FILE).read_bytes()).items()}
    return Standing(**arrays, model=model, revision=revision)
