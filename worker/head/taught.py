"""A taught head: an assignment's own, from a cohort, graded examples, or both. Arrays in, arrays out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load, save

from worker.features.prompt import cosine, layers_of
from worker.head.evidence import Evidence
from worker.head.ridge import Prediction
from worker.head.standing import Baseline
from worker.head.views import GAMMA, nearness

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE = 0.9
# Rows that are compared with all centres at once: bounds the memory of a regrade.
SLICE = 256


@dataclass(frozen=True)
class Numbers:
    """The arrays of a taught head. K inputs (vectors, then surface features) in P parts, J views, C criteria, m centres."""

    mean: NDArray[np.float64]  # (K,) the assignment's baseline
    scale: NDArray[np.float64]  # (K,)
    weights: NDArray[np.float64]  # (K, C) the linear part, on standardised inputs
    bias: NDArray[np.float64]  # (C,)
    parts: NDArray[np.int64]  # (P,) as in worker/head/views.py
    views: NDArray[np.float64]  # (J, P)
    centres: NDArray[np.floating]  # (m, K) the examples' standardised inputs; m is 0 without any
    alphas: NDArray[np.float64]  # (J, m, C)
    half_widths: NDArray[np.float64]  # (C + 1,) of the intervals; the last is the overall score's
    # (2,) a text is unlike the submissions when its mean squared standardised input lies above the first, or the cosine
    # between its last layer and theirs below the second; heads of before 0.2 have the first alone
    far: NDArray[np.float64]

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return sum(int(getattr(self, f.name).nbytes) for f in fields(self))

    def standardised(self, inputs: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, K) inputs as this assignment's baseline sees them."""
        return Baseline(self.mean, self.scale)(inputs)

    def unit(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, C) scores from 0 to 1 of standardised inputs (n, K)."""
        out = x @ self.weights + self.bias
        if len(self.centres):
            for start in range(0, len(x), SLICE):
                rows = slice(start, start + SLICE)
                near = nearness(x[rows], self.centres, self.parts, self.views)
                out[rows] += sum(each @ alphas for each, alphas in zip(near, self.alphas, strict=True))
        return np.asarray(np.clip(out, 0, 1))


@dataclass(frozen=True)
class Taught:
    """Immutable. `criteria` are the rubric's own, in its order; `weights_of` theirs in the overall score."""

    name: str
    criteria: tuple[str, ...]
    importance: tuple[float, ...]
    model: str
    revision: str
    numbers: Numbers
    version: int = 1
    degraded: bool = False
    confidence: float = CONFIDENCE

    def standardised(self, evidence: Evidence) -> NDArray[np.float64]:
        """(n, K) the evidence as this assignment's baseline sees it."""
        if evidence.vectors is None:
            raise ValueError("this head needs the encoder's vectors")
        inputs = np.hstack([evidence.vectors, evidence.surface])
        return self.numbers.standardised(inputs)

    def output_of(self, criterion: dict[str, Any]) -> str | None:
        """The output that scores a criterion of the rubric: its own."""
        return criterion["name"] if criterion["name"] in self.criteria else None

    def predict(self, evidence: Evidence) -> Prediction:
        """Scores from 0 to 1 with conformal intervals."""
        x = self.standardised(evidence)
        scores = self.numbers.unit(x)
        overall = scores @ np.array(self.importance) / sum(self.importance)
        half = self.numbers.half_widths
        low, high = np.clip(scores - half[:-1], 0, 1), np.clip(scores + half[:-1], 0, 1)
        ends = np.clip(overall - half[-1], 0, 1), np.clip(overall + half[-1], 0, 1)
        nothing = np.full(len(x), np.nan)
        return Prediction(
            scores, low, high, overall, *ends, nothing, self.confidence, self._unusual(x, evidence.vectors)
        )

    def _unusual(self, x: NDArray[np.float64], vectors: NDArray[np.float32] | None) -> NDArray[np.bool_]:
        """(n,) whether texts are unlike all that the head was taught with."""
        far = self.numbers.far
        unusual = (x**2).mean(axis=1) > far[0]
        if len(far) > 1 and vectors is not None:
            unusual |= likeness(vectors, self.numbers.mean[: vectors.shape[1]]) < far[1]
        return np.asarray(unusual)


def likeness(vectors: NDArray[np.floating], middle: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n,) cosine between the last layers of vectors (n, D) and of another (D,) or as many others (n, D)."""
    return cosine(*(layers_of(np.atleast_2d(each).astype(np.float64))[:, -1] for each in (vectors, middle)))


def packed(numbers: Numbers) -> tuple[bytes, str]:
    """A head's arrays as safetensors, and their SHA-256. Centres in half precision: they are nearly all of the size."""
    arrays = {f.name: np.asarray(getattr(numbers, f.name), np.float32) for f in fields(numbers)}
    arrays["centres"] = arrays["centres"].astype(np.float16)
    arrays["parts"] = arrays["parts"].astype(np.int64)
    data = save(arrays)
    return data, hashlib.sha256(data).hexdigest()


def unpacked(data: bytes, card: dict[str, Any], name: str, model: str, revision: str) -> Taught:
    """A head from what `packed` made and its card."""
    # Single precision in use: twice as fast, and far finer than any score.
    arrays = {key: value.astype(np.float32) if value.dtype.kind == "f" else value for key, value in load(data).items()}
    if "metric" in arrays:
        arrays = _of_one_view(arrays, int(card["features"]))
    numbers = Numbers(**arrays)
    return Taught(name, tuple(card["criteria"]), tuple(card["importance"]), model, revision, numbers)


def _of_one_view(arrays: dict[str, NDArray[np.floating]], surface: int) -> dict[str, NDArray[Any]]:
    """The arrays of a head that was taught before there were views: its centres have gone through its metric, (K,)."""
    metric = arrays.pop("metric")
    view = metric[[0, -1]] ** 2 / GAMMA
    centres, alphas = arrays["centres"] / metric, arrays["alphas"][None]
    parts = np.array([len(metric) - surface, surface])
    return {**arrays, "centres": centres, "alphas": alphas, "parts": parts, "views": view[None]}
