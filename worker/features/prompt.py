"""How much a text has to do with its assignment prompt."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from worker.features.text import Text, prompt_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The last of the pooled layers is the one that sentence encoders are trained to compare.
POOLED_LAYERS = 3
FEATURES = (
    "early",  # cosines of the two vectors' layers, each less its centre; 0 without vectors
    "middle",
    "last",
    "shared_share",  # share of the prompt's content words (by weight) that the text uses
    "density",  # prompt content words among the text's content words
)
# An encoder's centre is the mean vector of essays above the mean vector of prompts, (2, D): what essays of all assignments
# share tells nothing of one. Nobody has measured this one: cosines are those of the vectors themselves.
NO_CENTRE = np.zeros((2, 1))
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
    centre: NDArray[np.floating],
) -> NDArray[np.float64]:
    """(n, 5) with the overlaps `shared` (n, 2), whose NaN rows stay. `centre` is the encoder's, (2, D)."""
    if vectors is not None and prompt_vectors is not None:
        alike = cosine(layers_of(vectors - centre[0]), layers_of(prompt_vectors - centre[1]))
    else:
        alike = np.repeat(np.where(np.isnan(shared[:, :1]), np.nan, 0.0), POOLED_LAYERS, axis=1)
    return np.column_stack([alike, shared])


def mark_of(centre: NDArray[np.floating]) -> float:
    """Tells prompt features that are kept from those that another centre gave: a checksum, as a whole number."""
    return float(zlib.crc32(np.ascontiguousarray(centre, "<f4").tobytes()))


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


def layers_of(vectors: NDArray[np.floating]) -> NDArray[np.floating]:
    """(n, 3, hidden) the layers of vectors (n, D), from the end: a checkpoint's own outputs come before them."""
    hidden = vectors.shape[1] // POOLED_LAYERS
    return vectors[:, -POOLED_LAYERS * hidden :].reshape(len(vectors), POOLED_LAYERS, hidden)


def cosine(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Along the last axis; NaN where a vector is NaN, 0 where one is zero."""
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    dots = np.einsum("...j,...j->...", a.astype(np.float64), b.astype(np.float64))
    return np.where(np.isnan(norms), np.nan, dots / np.where(norms > 0, norms, 1.0))
