"""What is known of words. Each is looked at once; a text's words are then counted as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.features import kinds
from worker.features.words import zipf

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Different words that are remembered; a class of thousands writes fewer. A single text may hold more.
MOST = 65_536
_MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Known:
    """What is known of n words in a row."""

    rows: NDArray[np.intp]  # (n,) the same number for the same word, within one text
    code: NDArray[np.uint64]  # (n,) the same for the same word in every text of this process; others have others
    length: NDArray[np.int64]  # (n,) letters and apostrophes
    apostrophes: NDArray[np.int64]  # (n,)
    zipf: NDArray[np.float64]  # (n,)
    kinds: NDArray[np.uint8]  # (n, kinds.COUNT) 1 where a word is of a kind

    def __getitem__(self, part: slice | NDArray[np.intp]) -> Known:
        return Known(*(each[part] for each in vars(self).values()))


class Lexicon:
    """Words and what is known of them. Safe for threads."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._lock = most, Lock()
        self._rows: dict[str, int] = {}
        self._columns = _columns()

    def __len__(self) -> int:
        return len(self._rows)

    def look_up(self, words: Sequence[str]) -> Known:
        """What is known of each of n words in small letters."""
        with self._lock:
            rows = self._rows_of(words)
            return Known(rows, *(column[rows] for column in self._columns))

    def _rows_of(self, words: Sequence[str]) -> NDArray[np.intp]:
        try:
            return self._found(words)
        except KeyError:
            if len(self._rows) > self._most:
                self._forget()
            self._learn(sorted(set(words) - self._rows.keys()))
            return self._found(words)

    def _found(self, words: Sequence[str]) -> NDArray[np.intp]:
        return np.fromiter(map(self._rows.__getitem__, words), np.intp, len(words))

    def _learn(self, words: list[str]) -> None:
        first = len(self._rows)
        if first + len(words) > len(self._columns[0]):
            self._columns = [
                np.concatenate([c, np.zeros_like(c, shape=(len(words) + len(c), *c.shape[1:]))]) for c in self._columns
            ]
        new = slice(first, first + len(words))
        code, length, apostrophes, frequency, of = self._columns
        code[new] = [hash(word) & _MASK for word in words]
        length[new] = [len(word) for word in words]
        apostrophes[new] = [word.count("'") for word in words]
        frequency[new] = [zipf(word) for word in words]
        of[new] = [kinds.of_word(word) for word in words]
        self._rows.update(zip(words, range(first, first + len(words)), strict=True))

    def _forget(self) -> None:
        self._rows, self._columns = {}, _columns()


def _columns() -> list[NDArray[Any]]:
    """Those of Known, but rows, with room for some words."""
    shapes = ((np.uint64, ()), (np.int64, ()), (np.int64, ()), (np.float64, ()), (np.uint8, (kinds.COUNT,)))
    return [np.zeros((1024, *shape), dtype) for dtype, shape in shapes]
