"""Runs of words: which came before. A run is known by a number made of its words' numbers, 64 bits wide: that two runs
share one by chance is a matter of one in 10^14 texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.uint64]

# Odd, with its bits well mixed (2^64 over the golden ratio).
FACTOR = np.uint64(0x9E3779B97F4A7C15)


def runs(codes: Codes, size: int) -> Codes:
    """(n - size + 1,) the number of each run of `size` of n words; none of fewer words."""
    count = max(0, len(codes) - size + 1)
    made = codes[:count]
    for k in range(1, size):
        made = made * FACTOR + codes[k : k + count]
    return made


def different(numbers: NDArray[np.uint64] | NDArray[np.intp]) -> int:
    """How many different ones there are."""
    ordered = np.sort(numbers)
    return int(np.count_nonzero(ordered[1:] != ordered[:-1])) + bool(len(ordered))


def said_once(numbers: NDArray[np.uint64] | NDArray[np.intp]) -> int:
    """How many come exactly once."""
    ordered = np.sort(numbers)
    new = np.concatenate([[True], ordered[1:] != ordered[:-1], [True]])[: len(ordered) + 1]
    return int(np.count_nonzero(new[1:] & new[:-1]))


def again(codes: Codes, size: int) -> int:
    """How many runs of `size` words came before."""
    made = runs(codes, size)
    return len(made) - different(made)


def came_before(numbers: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Places, in order, of those that stand further in front too."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    return np.sort(order[1:][ordered[1:] == ordered[:-1]])
