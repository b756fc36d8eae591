"""What each character of a text is, as an array: places are then found without looking at characters one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Kinds = NDArray[np.uint16]

# Bits. LETTER is what a word is made of ([^\W\d_] of `re`), WORDY is \w, DIGIT \d and SPACE \s.
ALPHA, LETTER, DIGIT, SPACE, WORDY, APOSTROPHE, SMALL, CAPITAL, MARK, TIGHT, COMMA, AT, STOP, BLANK, SMALL_I, END = (
    1 << n for n in range(16)
)
_ASCII = 128


def _kind(character: str) -> int:
    kinds = {
        ALPHA: character.isalpha(),
        LETTER: character.isalnum() and not character.isdecimal(),
        DIGIT: character.isdecimal(),
        SPACE: character.isspace(),
        WORDY: character.isalnum() or character == "_",
        APOSTROPHE: character in "'’",
        SMALL: "a" <= character <= "z",
        CAPITAL: "A" <= character <= "Z",
        MARK: character in ",.;:!?",
        TIGHT: character in ",;!?",
        COMMA: character in ",;",
        AT: character == "@",
        STOP: character == ".",
        BLANK: character == " ",
        SMALL_I: character == "i",
        END: character in ".!?\n",
    }
    return sum(bit for bit, so in kinds.items() if so)


_TABLE = np.array([_kind(chr(code)) for code in range(_ASCII)], np.uint16)


def kinds_of(text: str) -> Kinds:
    """(len(text),) the bits of each character."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    if text.isascii():
        return _TABLE[codes]
    kinds = _TABLE[np.minimum(codes, _ASCII - 1)]
    beyond = codes >= _ASCII
    seen, places = np.unique(codes[beyond], return_inverse=True)
    kinds[beyond] = np.array([_kind(chr(code)) for code in seen.tolist()], np.uint16)[places]
    return kinds


def count(kinds: Kinds, bits: int) -> int:
    """How many characters are of one of these kinds."""
    return int(np.count_nonzero(kinds & bits))


def word_edges(kinds: Kinds) -> NDArray[np.intp]:
    """(n, 2) where each of n words begins and where it has ended: words.WORD, found without a search."""
    inside = kinds & LETTER != 0
    inside[1:-1] |= (kinds[1:-1] & APOSTROPHE != 0) & inside[:-2] & inside[2:]
    edge = np.zeros(len(inside) + 1, bool)
    edge[:-1] = inside
    edge[1:] ^= inside
    return np.flatnonzero(edge).reshape(-1, 2)


def marks_after_space(kinds: Kinds) -> NDArray[np.intp]:
    """Places of marks with a space before them and a space behind."""
    return 1 + np.flatnonzero((kinds[:-2] & SPACE != 0) & (kinds[1:-1] & MARK != 0) & (kinds[2:] & SPACE != 0))


def marks_before_letter(kinds: Kinds) -> NDArray[np.intp]:
    """Places of marks with a letter right behind; a full stop or a colon may have one (p.m., 5:a)."""
    return np.flatnonzero((kinds[:-1] & TIGHT != 0) & (kinds[1:] & LETTER != 0))


def lone_small_i(kinds: Kinds) -> NDArray[np.intp]:
    """Places of the word i in small; not i.e., an @i or the end of a word with an apostrophe."""
    lone = kinds & SMALL_I != 0
    lone[1:] &= kinds[:-1] & (WORDY | APOSTROPHE | AT) == 0
    lone[:-1] &= kinds[1:] & (WORDY | APOSTROPHE | STOP) == 0
    return np.flatnonzero(lone)


def inner_capitals(kinds: Kinds) -> NDArray[np.intp]:
    """Places of words that begin with a capital, after a small letter or a comma and a blank, and go on with a small letter."""
    before, blank, capital, after = kinds[:-3], kinds[1:-2], kinds[2:-1], kinds[3:]
    found = (capital & CAPITAL != 0) & (blank & BLANK != 0)
    return 2 + np.flatnonzero(found & (before & (SMALL | COMMA) != 0) & (after & SMALL != 0))
