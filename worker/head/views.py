"""What the kernel of a taught head compares: all inputs of two texts, and their parts by themselves.

The parts are the pooled layers of the vectors and the surface features. What one part says is drowned in the sum of all; heads
of several views, mixed by how well each does on its own, agree better with people than the one that sees all (ADR 33).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from worker.features.prompt import POOLED_LAYERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

# Squared inverse length of the radial kernel, of mean squared differences of standardised inputs.
GAMMA = 0.6


def parts_of(vectors: int, surface: int) -> NDArray[np.int64]:
    """(P,) how many inputs each part has, in their order. A checkpoint's own outputs go with the first layer."""
    hidden = vectors // POOLED_LAYERS
    return np.array([vectors - (POOLED_LAYERS - 1) * hidden, *[hidden] * (POOLED_LAYERS - 1), surface])


def views_of(parts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(J, P) what a squared difference of inputs counts in each view, by part: all, the vectors, each part alone."""
    layers = np.r_[np.ones(POOLED_LAYERS), 0.0] / parts[:-1].sum()
    alone = np.diag(1 / parts)
    return np.vstack([layers + alone[-1], layers, alone[::-1]])


def scaled(x: Floats, parts: NDArray[np.int64], view: Floats) -> Floats:
    """(n, k) the inputs that a view sees, multiplied so that their squared distance is what the view counts."""
    factors = np.repeat(np.sqrt(view), parts).astype(x.dtype)
    seen = factors > 0
    return x[:, seen] * factors[seen]


def radial(own: Floats, other: Floats, dots: Floats) -> Floats:
    """(n, m) the radial kernel of scaled inputs, from their squared lengths (n,) and (m,) and their dot products (n, m)."""
    return np.asarray(np.exp(-GAMMA * np.maximum(own[:, None] + other[None] - 2 * dots, 0)))


def nearness(x: Floats, centres: Floats, parts: NDArray[np.int64], views: Floats) -> Iterator[Floats]:
    """(n, m) the radial kernel of standardised inputs (n, K) and (m, K) in each view, from one look at each part."""
    ends = np.cumsum(parts)
    slices = [slice(end - width, end) for end, width in zip(ends, parts, strict=True)]
    dots = [x[:, part] @ centres[:, part].T for part in slices]
    own, other = (np.stack([(z[:, part] ** 2).sum(axis=1) for part in slices], axis=1) for z in (x, centres))
    for view in views.astype(x.dtype):
        shared = sum(share * dot for share, dot in zip(view, dots, strict=True) if share)
        yield radial(own @ view, other @ view, shared)
