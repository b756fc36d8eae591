"""A text as it is counted: its words and characters, each looked at once for all that counts them."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from worker.features import characters
from worker.features.lexicon import Known, Lexicon
from worker.features.repeats import NONE, may_repeat, repeated, with_digits
from worker.features.words import SENTENCE_END

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEXICON = Lexicon()
SPACE = re.compile(r"\s+")


class Text:
    """A text, its words in small letters, and what is known of each."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.kinds = characters.kinds_of(text)  # (len(text),): characters.py
        self.edges = characters.word_edges(self.kinds)  # (n, 2): where each word begins, and where it has ended
        straight = text.replace("’", "'")
        self.words = [straight[first:end].lower() for first, end in self.edges.tolist()]

    @cached_property
    def known(self) -> Known:
        """What the lexicon knows of the words."""
        return LEXICON.look_up(self.words)

    @cached_property
    def repeats(self) -> NDArray[np.intp]:
        """(n, 2) first and last words of what it says again, word for word and number for number (repeats.py)."""
        if not may_repeat(self.known.code):
            return NONE
        digits = np.flatnonzero(self.kinds & characters.DIGIT)
        places = np.searchsorted(self.edges[:, 0], digits)
        codes = with_digits(self.known.code, places, [ord(self.text[digit]) for digit in digits.tolist()])
        return repeated(codes, self.lines)

    @cached_property
    def once(self) -> Text:
        """The text without its repeats; itself where it has none."""
        if not len(self.repeats):
            return self
        kept, end = [], 0
        starts = [*self.edges[:, 0].tolist(), len(self.text)]
        for first, last in self.repeats.tolist():
            kept.append(self.text[end : starts[first]])
            # The mark behind the last word goes with it.
            space = SPACE.search(self.text, int(self.edges[last, 1]), starts[last + 1])
            end = space.end() if space else starts[last + 1]
        return Text("".join([*kept, self.text[end:]]).rstrip())

    @cached_property
    def sentences(self) -> list[int]:
        """Words of each sentence that has any; [0] for a text without words."""
        return self._parted([match.end() for match in SENTENCE_END.finditer(self.text)]) or [0]

    @cached_property
    def lines(self) -> list[int]:
        """Words of each part that has any, cut at each . ! ? and line break, in a number with decimals too."""
        return self._parted(np.flatnonzero(self.kinds & characters.END))

    def _parted(self, ends: NDArray[np.intp] | list[int]) -> list[int]:
        places = np.searchsorted(self.edges[:, 0], ends).tolist()
        return [
            last - first for first, last in zip([0, *places], [*places, len(self.words)], strict=True) if last > first
        ]


@lru_cache(maxsize=32)
def prompt_text(prompt: str) -> Text:
    """An assignment prompt; a class shares its prompt, so that some are kept."""
    return Text(prompt)
