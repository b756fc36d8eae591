"""A JSON object out of a file without holding it: its one long array comes item by item.

Python's own decoder reads each value, so that one is taken or refused here as it is in a short body.
"""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO, NamedTuple

from api.errors import Malformed, TooLarge

PIECE = 64 * 1024
MOST_NAMES = 100
LONGEST = 4 * 2**20  # of a value: a text of 200,000 characters, all of them escaped, with its metadata
SPACE = re.compile(r"[ \t\n\r]*")
SCALAR = re.compile(r"[^\s,\]}]*")
DECODER = json.JSONDecoder()
# How far before the end of what was read a value that is only cut off may seem to be wrong: "\ud83d\ude0" is the longest.
CUT = 16


class Member(NamedTuple):
    """A name of the object with its value, or one item of the long array (`number` is its place, from 0)."""

    name: str | None
    value: Any
    number: int | None = None


def members(file: BinaryIO, long: Collection[str], longest: int, most: int = sys.maxsize) -> Iterator[Member]:
    """What an object in a file holds, from its start, in its order; arrays of the names in `long` come as their items.

    An empty one, and a value of that name that is no array, come whole. `longest` is that of one value, and of all together
    that are no items, in characters; `most` is that of items. Malformed when it is no JSON, TooLarge when there is more; a
    value that is no object is a Member without a name.
    """
    text = Text(file, longest)
    if text.next() == "{":
        yield from _of_object(text, long, longest, most)
        text.end()
    else:
        value = text.value()
        text.end()
        yield Member(None, value)


def _of_object(text: Text, long: Collection[str], longest: int, most: int) -> Iterator[Member]:
    text.take("{")
    more, names = text.next() != "}", 0
    while more:
        name, names = text.value(), names + 1
        if not isinstance(name, str):
            raise not_json()
        text.take(":")
        if names > MOST_NAMES:
            raise TooLarge(f"The body has more than {MOST_NAMES} fields.")
        if name in long and text.next() == "[":
            yield from _of_array(text, name, most)
        else:
            before = text.read
            yield Member(name, text.value())
            longest -= text.read - before
            if longest < 0:
                raise TooLarge("What the body says beside its items is too long.")
        more = text.next() == ","
        if more:
            text.take(",")
    text.take("}")


def _of_array(text: Text, name: str, most: int) -> Iterator[Member]:
    text.take("[")
    if text.next() == "]":
        yield Member(name, [])
    else:
        number = 0
        yield Member(name, text.value(f"{name}.{number}"), number)
        while text.next() == ",":
            text.take(",")
            number += 1
            if number >= most:
                raise TooLarge(f"There are more than {most:,} {name}. Send the rest in another request.")
            yield Member(name, text.value(f"{name}.{number}"), number)
    text.take("]")


def gathered(file: BinaryIO, long: Collection[str], longest: int, most: int) -> dict[str, Any] | None:
    """All of an object whose arrays of these names have at most so many items; None when it is no object."""
    found: dict[str, Any] = {}
    for name, value, number in members(file, long, longest, most):
        if name is None:
            return None
        if number is None or number == 0:
            found[name] = value if number is None else [value]  # of two of one name the last counts, as everywhere
        else:
            found[name].append(value)
    return found


def not_json() -> Malformed:
    return Malformed("The body is not valid JSON.")


class Text:
    """The characters of a file, of which no more are held than one value has."""

    def __init__(self, file: BinaryIO, longest: int) -> None:
        self._file, self._longest = file, longest
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._held, self._at, self._passed, self._ended = "", 0, 0, False
        file.seek(0)

    @property
    def read(self) -> int:
        """How many characters were taken so far."""
        return self._passed + self._at

    def next(self) -> str:
        """The next character that is no space; none at the end."""
        while True:
            found = SPACE.match(self._held, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._held):
                return self._held[self._at]
            if not self._more(PIECE):
                return ""

    def take(self, mark: str) -> None:
        """Goes past a mark. Malformed when something else stands there."""
        if self.next() != mark:
            raise not_json()
        self._at += 1

    def end(self) -> None:
        """Nothing but spaces may follow. Malformed."""
        if self.next():
            raise not_json()

    def value(self, where: str = "") -> Any:
        """The next value. Malformed, TooLarge."""
        first, size = self.next(), PIECE
        while first not in '"[{' and self._scalar_is_cut() and self._more(PIECE):
            pass  # 1e is no number yet, and would be read as 1
        while True:
            try:
                value, end = DECODER.raw_decode(self._held, self._at)
                self._at = end
                return value
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos >= len(self._held) - CUT
                if not cut or not self._more(size):
                    raise not_json() from error
                size = min(2 * size, self._longest)  # what was read in vain is read again: not too often
            except (ValueError, RecursionError) as error:  # a number of thousands of digits; brackets in brackets
                raise not_json() from error
            if len(self._held) - self._at > self._longest + PIECE:
                raise TooLarge(f"{where or 'A value'} is longer than {self._longest:,} characters.")

    def _scalar_is_cut(self) -> bool:
        found = SCALAR.match(self._held, self._at)
        size = (found.end() if found else 0) - self._at
        return self._at + size == len(self._held) and size <= self._longest

    def _more(self, size: int) -> bool:
        """Reads on; False at the end."""
        if self._ended:
            return False
        piece = self._file.read(size)
        self._ended = not piece
        try:
            decoded = self._decode.decode(piece, self._ended)
        except UnicodeDecodeError as error:
            raise not_json() from error
        self._held, self._passed, self._at = self._held[self._at :] + decoded, self._passed + self._at, 0
        return True
