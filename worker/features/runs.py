"""Runs of words: which came before. A run is known by a number made of its words' numbers, 64 bits wide: that two runs
share one by chance is a matter of one in 10^14 texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.uint64]

# Odd, with its bits well mixed (2^64 over the golden ratio).
FACTOR = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def runs(codes: Codes, size: int) -> Codes:
    """(n - size + 1,) the number of each run of `size` of n words; none of fewer words.

    Two halves make a run, so that a run of eight takes three steps: codes x FACTOR^(words behind), summed.
    """
    if size == 1:
        return codes
    half = size // 2
    first = runs(codes, half)
    second = first if 2 * half == size else runs(codes, size - half)
    count = max(0, len(codes) - size + 1)
    return first[:count] * np.uint64(pow(FACTOR, size - half, _MASK + 1)) + second[half : half + count]


def groups(ordered: NDArray[np.uint64] | NDArray[np.intp]) -> NDArray[np.bool_]:
    """(n + 1,) of n ordered numbers, where one stands that is not the one before; and the end."""
    new = np.ones(len(ordered) + 1, bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:-1])
    return new


def different(numbers: NDArray[np.uint64]) -> int:
    """How many different ones there are."""
    return int(np.count_nonzero(groups(np.sort(numbers)))) - 1


def again(codes: Codes, size: int) -> int:
    """How many runs of `size` words came before."""
    made = runs(codes, size)
    return len(made) - different(made)


def came_before(numbers: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Places, in order, of those that stand further in front too."""
    order = np.argsort(numbers, kind="stable")
    return np.sort(order[~groups(numbers[order])[:-1]])
