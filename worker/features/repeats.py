"""What a text says twice, word for word: it is read and counted once, so that padding does not pay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from worker.features.runs import FACTOR, again, came_before, groups, runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Stretches = NDArray[np.intp]  # (n, 2): first and last words
    Codes = NDArray[np.uint64]

# Fewer words in a row come again by chance, in names and turns of speech.
RUN = 8
# A whole sentence of so many words is no chance; a shorter one ("I agree.") may well come twice.
SENTENCE = 4
NONE = np.zeros((0, 2), np.intp)


def may_repeat(codes: Codes) -> bool:
    """Whether n words can hold a repeat: whatever comes again has SENTENCE words in a row that do. Most short texts have none."""
    return again(codes, SENTENCE) > 0


def repeated(codes: Codes, sentences: Sequence[int]) -> Stretches:
    """Where n words say what stood before: in runs of RUN words and more, and in whole sentences of SENTENCE and more.

    `codes` (n,) are the same for the same word; `sentences` hold so many words, one behind the other.
    """
    return _merged(np.concatenate([_runs_again(codes), _sentences_again(codes, sentences)]))


def with_digits(codes: Codes, words: NDArray[np.intp], digits: Sequence[int]) -> Codes:
    """Codes (n,) of words that are others where other digits stand before: `words` (m,), in order, are before which of the
    n words each digit stands; n behind the last."""
    place = np.arange(len(words))
    place -= np.maximum.accumulate(np.where(groups(words)[:-1], place, 0))  # among the digits before the same word
    powers = np.cumprod(np.full(place.max(initial=0) + 1, FACTOR, np.uint64))
    out = np.append(codes, np.uint64(0))
    np.add.at(out, words, np.array(digits, np.uint64) * powers[place])
    return out[:-1]


def _runs_again(codes: Codes) -> Stretches:
    """Stretches that consist of runs which came before."""
    places = came_before(runs(codes, RUN))
    if not len(places):
        return NONE
    parted = np.flatnonzero(np.diff(places) > RUN)
    firsts, lasts = places[np.concatenate([[0], parted + 1])], places[np.concatenate([parted, [-1]])]
    return np.stack([firsts, lasts + RUN - 1], axis=1)


def _sentences_again(codes: Codes, sentences: Sequence[int]) -> Stretches:
    """Sentences too short to hold a run of RUN."""
    found: list[tuple[int, int]] = []
    seen, first = set[bytes](), 0
    for length in sentences:
        sentence = codes[first : first + length].tobytes()
        if SENTENCE <= length < RUN and sentence in seen:
            found.append((first, first + length - 1))
        seen.add(sentence)
        first += length
    return np.array(found, np.intp).reshape(-1, 2)


def _merged(stretches: Stretches) -> Stretches:
    """In order, and those as one that overlap or follow each other at once."""
    if len(stretches) < 2:
        return stretches
    stretches = stretches[np.argsort(stretches[:, 0], kind="stable")]
    lasts = np.maximum.accumulate(stretches[:, 1])
    new = np.flatnonzero(np.concatenate([[True], stretches[1:, 0] > lasts[:-1] + 1]))
    return np.stack([stretches[new, 0], lasts[np.concatenate([new[1:] - 1, [-1]])]], axis=1)
