"""The head of a fine-tuned checkpoint: nothing but its own outputs, each on the criterion that its label names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from worker.errors import ModelUnavailable
from worker.features.prompt import NO_CENTRE
from worker.features.surface import FEATURES
from worker.head.ridge import NEUTRAL_TOPIC, Head
from worker.head.traits import CRITERIA, measured_by

# Nobody has measured how far such scores are from people's: the interval is the whole scale, which holds every score.
CERTAIN = 1.0


def checkpoint_head(model: str, revision: str, labels: Sequence[str], width: int, low: float, high: float) -> Head:
    """Reads the first `len(labels)` of a vector's `width` numbers, which are from `low` to `high`.

    Several outputs of one criterion count as their mean. ModelUnavailable for a scale without length.
    """
    if not low < high:
        raise ModelUnavailable(f"GRADELINE_MODEL_MIN ({low:g}) must be below GRADELINE_MODEL_MAX ({high:g})")
    named = [measured_by(label) for label in labels]
    criteria = tuple(c for c in CRITERIA if c in named)
    inputs = width + len(FEATURES)
    mean, scale, weights = np.zeros(inputs), np.ones(inputs), np.zeros((inputs, len(criteria)))
    mean[: len(labels)], scale[: len(labels)] = low, high - low
    for row, name in enumerate(named):
        if name is not None:
            weights[row, criteria.index(name)] = 1 / named.count(name)
    # Part of the name, so that results on another scale are not used again.
    called = "checkpoint" if (low, high) == (0, 1) else f"checkpoint-{low:g}-{high:g}"
    return Head(
        called, 1, criteria, model, revision, False, CERTAIN, mean, scale, weights, np.zeros(len(criteria)),
        np.zeros(0), np.ones((1, len(criteria) + 1)), NEUTRAL_TOPIC, NO_CENTRE,
    )  # fmt: skip
