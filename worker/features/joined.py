"""Texts one behind the other: what is counted in each of a chunk is one pass over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from worker.features.characters import SPACE
from worker.features.lexicon import Known
from worker.features.runs import groups, runs
from worker.features.text import Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.intp]

# Between two texts: the end of one is like a space behind it, and nothing stands before the next.
BETWEEN = np.array([SPACE, 0, 0], np.uint16)
# Numbers of runs in two texts must differ.
APART = np.uint64(0xD6E8FEB86659FD93)


class Joined:
    """k texts, one at least, with N words together."""

    def __init__(self, texts: Sequence[Text]) -> None:
        self.texts = texts
        self.words = np.array([len(text.words) for text in texts], np.intp)  # (k,)
        self.n = np.maximum(1, self.words)  # (k,) what counts are divided by
        self.of = np.repeat(np.arange(len(texts)), self.words)  # (N,) whose word it is
        columns = zip(*(vars(text.known).values() for text in texts), strict=True)
        self.known = Known(*(np.concatenate(column) for column in columns))
        self.kinds = np.concatenate([part for text in texts for part in (text.kinds, BETWEEN)])
        self._ends = np.cumsum([len(text.kinds) + len(BETWEEN) for text in texts])

    def sums(self, values: NDArray[np.bool_] | NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
        """(k,) of (N,): over the words of each text."""
        return np.bincount(self.of, weights=values, minlength=len(self.texts)).astype(np.float64, copy=False)

    def counts(self, chosen: NDArray[np.intp]) -> Counts:
        """(k,) how many of some words, by their places among all, each text has."""
        return np.bincount(self.of[chosen], minlength=len(self.texts))

    def marks(self, places: NDArray[np.intp]) -> Counts:
        """(k,) how many of some places among all characters, in order, each text has."""
        return np.diff(np.searchsorted(places, self._ends), prepend=0)

    @cached_property
    def by_kind(self) -> NDArray[np.int64]:
        """(k, kinds.COUNT) words of each kind."""
        summed = np.zeros((len(self.of) + 1, self.known.kinds.shape[1]), np.int64)
        np.cumsum(self.known.kinds, axis=0, out=summed[1:])
        return np.diff(summed[np.cumsum(self.words)], axis=0, prepend=summed[:1])

    @cached_property
    def types(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Places of the different words of each text, text by text; and of those of them that come once."""
        rows = self.known.rows
        return _told_apart(self.of * (int(rows.max(initial=0)) + 1) + rows)

    def runs(self, size: int) -> tuple[Counts, Counts, Counts]:
        """(k,) three times: runs of `size` words of each text, how many are different, and how many of these come once."""
        numbers = runs(self.known.code, size)
        of = self.of[: len(numbers)]
        within = of == self.of[size - 1 :]
        of = of[within]
        first, single = _told_apart(numbers[within] + of.astype(np.uint64) * APART)
        k = len(self.texts)
        return np.bincount(of, minlength=k), np.bincount(of[first], minlength=k), np.bincount(of[single], minlength=k)


def _told_apart(numbers: NDArray[np.uint64] | NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Places of different numbers, in the numbers' order; and of those that come once."""
    order = np.argsort(numbers)
    new = groups(numbers[order])
    return order[new[:-1]], order[new[1:] & new[:-1]]
