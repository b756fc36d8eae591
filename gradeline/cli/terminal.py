"""What others have written, on a terminal: as it is, and nothing that a terminal would obey."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

# They turn around what stands beside them, so that one name can look like another.
TURNING = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
# Controls (escape among them), halves of surrogate pairs, separators of lines and paragraphs.
OBEYED = ("Cc", "Cs", "Zl", "Zp")


def terminal(stderr: bool = False) -> Console:
    """A console that finds no markup, no emoji and nothing to colour in what it is given."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def shown(words: object, style: str = "") -> Text:
    """Anybody's words as one line of a table or a message."""
    return Text(harmless(str(words)), style)


def harmless(words: str) -> str:
    """The words in one line, with a mark in the place of each character that a terminal would obey."""
    return "".join(
        " " if each in "\t\r\n" else "\N{REPLACEMENT CHARACTER}" if _is_obeyed(each) else each for each in words
    )


def _is_obeyed(character: str) -> bool:
    return unicodedata.category(character) in OBEYED or character in TURNING


def findings(errors: Iterable[dict[str, Any]]) -> list[str]:
    """What a problem lists as wrong, a line each: where, and what."""
    found = [(".".join(map(str, each["loc"])), each["msg"]) for each in errors]
    return [harmless(": ".join(filter(None, each))) for each in found]
