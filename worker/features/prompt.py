"""How much a text has to do with its assignment prompt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from worker.features.text import Text, prompt_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEATURES = (
    "similarity",  # cosine of the two vectors' last layers; 0 without vectors
    "shared_share",  # share of the prompt's content words (by weight) that the text uses
    "density",  # prompt content words among the text's content words
)
COMMON_ZIPF = 6.0
STEM = 5


def overlaps(texts: Sequence[Text], prompts: Sequence[str | None]) -> NDArray[np.float64]:
    """(n, 2) `shared_share` and `density`; a row of NaN where there is no assignment prompt."""
    out = np.full((len(texts), 2), np.nan)
    kept: dict[str, dict[str, float]] = {}
    for n, (text, prompt) in enumerate(zip(texts, prompts, strict=True)):
        if not prompt:
            continue
        if prompt not in kept:
            kept[prompt] = content(prompt_text(prompt))
        out[n] = overlap(content(text), kept[prompt])
    return out


def prompt_features(
    shared: NDArray[np.float64],
    vectors: NDArray[np.float32] | None,
    prompt_vectors: NDArray[np.float32] | None,
    hidden: int,
) -> NDArray[np.float64]:
    """(n, 3) with the overlaps `shared` (n, 2), whose NaN rows stay. `hidden` is the width of the vectors' last layer."""
    if vectors is not None and prompt_vectors is not None:
        alike = cosine(vectors[:, -hidden:], prompt_vectors[:, -hidden:])
    else:
        alike = np.where(np.isnan(shared[:, 0]), np.nan, 0.0)
    return np.column_stack([alike, shared])


def content(text: Text) -> dict[str, float]:
    """Content words, cut to five letters so that forms of a word meet, each with its weight: 8 - Zipf frequency."""
    known = text.known
    chosen = np.flatnonzero((known.zipf < COMMON_ZIPF) & (known.length > 2))
    weights = 8.0 - known.zipf[chosen]
    return {text.words[n][:STEM]: weight for n, weight in zip(chosen.tolist(), weights.tolist(), strict=True)}


def overlap(text: dict[str, float], prompt: dict[str, float]) -> tuple[float, float]:
    """The weight of the prompt's words that the text uses over the weight of all of them; and shared / sqrt(text's)."""
    shared = text.keys() & prompt.keys()
    whole = sum(prompt.values())
    share = sum(prompt[word] for word in shared) / whole if whole else 0.0
    return share, len(shared) / math.sqrt(max(1, len(text)))


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Row by row; NaN where a row is NaN, 0 where a row is zero."""
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    dots = np.einsum("ij,ij->i", a.astype(np.float64), b.astype(np.float64))
    return np.where(np.isnan(norms), np.nan, dots / np.where(norms > 0, norms, 1.0))
