"""What a text says twice, word for word: it counts once, so that padding does not pay."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from worker.features.runs import came_before, runs
from worker.features.text import Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Fewer words in a row come again by chance, in names and turns of speech.
RUN = 8
SPACE = re.compile(r"\s+|$")


def once(text: Text) -> tuple[Text, float]:
    """A text without the runs of RUN and more words that stood in it before, and the share of words that these runs are."""
    if len(text.words) <= RUN:
        return text, 0.0
    again = came_before(runs(text.known.code, RUN))
    if not len(again):
        return text, 0.0
    stretches = _stretches(again)
    kept, end = [], 0
    for first, last in stretches.tolist():
        kept.append(text.text[end : text.edges[first, 0]])
        # The mark behind the last word goes with it.
        end = SPACE.search(text.text, int(text.edges[last, 1])).end()  # type: ignore[union-attr]  # it matches the text's end
    left = Text("".join([*kept, text.text[end:]]))
    return left, int((stretches[:, 1] - stretches[:, 0] + 1).sum()) / len(text.words)


def _stretches(again: NDArray[np.intp]) -> NDArray[np.intp]:
    """(n, 2) first and last words of stretches that consist of runs which came before, and begin at these words."""
    parted = np.flatnonzero(np.diff(again) > RUN)
    firsts, lasts = again[np.concatenate([[0], parted + 1])], again[np.concatenate([parted, [-1]])]
    return np.stack([firsts, lasts + RUN - 1], axis=1)
