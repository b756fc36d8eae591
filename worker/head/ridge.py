"""A ridge head at work: arrays in, arrays out. Fitting is in the package `heads`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.features.prompt import FEATURES as PROMPT_FEATURES
from worker.head.evidence import Evidence
from worker.head.traits import CRITERION_OF

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A feature further out than this many standard deviations counts as this far: the head was fitted on no such text.
FARTHEST = 4.0
# The probability from which a text counts as answering its prompt; below, Relevance falls in proportion. It was learned from
# as many texts with another's prompt as with their own; in a class hardly any is off topic, so even chances are not enough.
ON_TOPIC = 0.3
# Of a head that nobody has taught what is off topic: every text is as good as surely on it.
NEUTRAL_TOPIC = np.array([10.0, *np.zeros(len(PROMPT_FEATURES))])


@dataclass(frozen=True)
class Prediction:
    """Scores of n texts on C criteria, all from 0 to 1; `on_topic` is NaN for texts without an assignment prompt."""

    scores: NDArray[np.float64]  # (n, C)
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    overall: NDArray[np.float64]  # (n,)
    overall_low: NDArray[np.float64]
    overall_high: NDArray[np.float64]
    on_topic: NDArray[np.float64]  # (n,)
    confidence: float
    unusual: NDArray[np.bool_] | None = None  # (n,) unlike all that a taught head has seen


@dataclass(frozen=True)
class Head:
    """Immutable. K inputs: the vector (D) unless `degraded`, then the surface features (F)."""

    name: str
    version: int
    criteria: tuple[str, ...]
    model: str
    revision: str
    degraded: bool
    confidence: float
    mean: NDArray[np.float64]  # (K,)
    scale: NDArray[np.float64]  # (K,) standard deviation over the weight that the input got
    weights: NDArray[np.float64]  # (K, C)
    bias: NDArray[np.float64]  # (C,)
    edges: NDArray[np.float64]  # (B - 1,) word counts that part the B bins of intervals
    half_widths: NDArray[np.float64]  # (B, C + 1); the last column is the overall score's
    topic: NDArray[np.float64]  # (1 + 5,) logistic intercept and weights of the prompt features
    centre: NDArray[np.float64]  # (2, D) with which the prompt features are made, or (2, 1): worker/features/prompt.py

    def raw(self, evidence: Evidence) -> NDArray[np.float64]:
        """(n, C) before the gate of Relevance and the ends of the scale."""
        inputs = evidence.surface
        if not self.degraded:
            if evidence.vectors is None:
                raise ValueError("this head needs the encoder's vectors")
            inputs = np.hstack([evidence.vectors, evidence.surface])
        # Where the standard deviation was multiplied by a weight, the limit is in standard deviations all the same.
        return np.asarray(standardised(inputs, self.mean, self.scale) @ self.weights + self.bias)

    def predict(self, evidence: Evidence) -> Prediction:
        """Scores with conformal intervals of `confidence`."""
        on_topic = self.on_topic(evidence)
        scores = np.clip(self.raw(evidence), 0, 1)
        if "Relevance" in self.criteria:
            scores[:, self.criteria.index("Relevance")] *= gate(on_topic)
        overall = scores.mean(axis=1)
        half = self.half_widths[np.searchsorted(self.edges, evidence.words, side="right")]
        low, high = np.clip(scores - half[:, :-1], 0, 1), np.clip(scores + half[:, :-1], 0, 1)
        ends = np.clip(overall - half[:, -1], 0, 1), np.clip(overall + half[:, -1], 0, 1)
        return Prediction(scores, low, high, overall, *ends, on_topic, self.confidence)

    def output_of(self, criterion: dict[str, Any]) -> str | None:
        """The output that scores a criterion of a rubric; None when there is none. A trait goes by its criterion."""
        name = str(criterion.get("measures") or criterion["name"])
        name = CRITERION_OF.get(name, name)
        return name if name in self.criteria else None

    def on_topic(self, evidence: Evidence) -> NDArray[np.float64]:
        """The probability that a text answers its own prompt rather than somebody else's, (n,)."""
        return on_topic(evidence.prompt, self.topic)


def on_topic(features: NDArray[np.float64], topic: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) logistic, of prompt features (n, 5); NaN where these are."""
    return np.asarray(1 / (1 + np.exp(-(topic[0] + features @ topic[1:]))))


def standardised(
    inputs: NDArray[np.floating], mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Inputs in standard deviations, cut off at the farthest that the head can speak of."""
    return np.asarray(np.clip((inputs - mean) / scale, -FARTHEST, FARTHEST))


def gate(on_topic: NDArray[np.float64]) -> NDArray[np.float64]:
    """What Relevance is multiplied by: 1 for a text on topic or without a prompt, down to 0 for one that is surely off."""
    return np.where(np.isnan(on_topic), 1.0, np.minimum(1.0, np.nan_to_num(on_topic) / ON_TOPIC))
