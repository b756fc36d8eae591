"""Rows out of JSON, NDJSON and CSV, one at a time, each with its number from 1: the place in `items`, the line, or the row
below the header. Blank lines and rows are counted, and are no rows."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from api.batch_rows import BadRow, Numbered
from api.errors import InvalidRequest, TooLarge
from api.json_stream import LONGEST, members
from api.requests import not_an_object
from api.tables import MOST_LINES, read_texts

ITEMS, SOME = "items", [None]
OWN = ("text", "external_id", "prompt")


def read_items(file: BinaryIO) -> Iterator[Numbered]:
    """The items of a JSON object that `read_settings` has looked through."""
    return ((each.number + 1, each.value) for each in members(file, [ITEMS], LONGEST) if each.number is not None)


def read_settings(file: BinaryIO, most: int) -> dict[str, Any]:
    """What a JSON object says beside its items; `items` is what may stand for them. Malformed, TooLarge, InvalidRequest.

    All of the object is read once, so that nothing of it is taken when its end is broken.
    """
    found: dict[str, Any] = {}
    for name, value, number in members(file, [ITEMS], LONGEST, most):
        if name is None:
            raise not_an_object()
        if name == ITEMS and name in found and not number:
            raise InvalidRequest("items: is there twice", [{"loc": [ITEMS], "msg": "is there twice"}])
        found[name] = value if number is None else SOME
    return found


def read_ndjson(file: BinaryIO) -> Iterator[Numbered]:
    """The value of each line that is not blank."""
    file.seek(0)
    for number in itertools.count(1):
        if not (line := file.readline(LONGEST)):
            return
        if number > MOST_LINES:
            raise TooLarge(f"There are more than {MOST_LINES:,} lines. Send the rest as another batch.")
        if not line.endswith(b"\n") and len(line) == LONGEST:
            _skip_line(file)
            yield number, BadRow(f"the line is longer than {LONGEST:,} bytes")
        elif line.strip():
            yield number, _json(line)


def _skip_line(file: BinaryIO) -> None:
    while (rest := file.readline(LONGEST)) and not rest.endswith(b"\n"):
        pass


def _json(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return BadRow("the line is not valid JSON in UTF-8")


def read_csv(file: BinaryIO) -> Iterator[Numbered]:
    """An item of each row. Columns beside text, external_id and prompt become metadata. Refused as a table is."""
    return ((row.number, _item(row.cells)) for row in read_texts(file))


def _item(cells: dict[str, str] | None) -> Any:
    if cells is None:
        return BadRow("the row has more cells than the header")
    item: dict[str, Any] = {"text": cells.get("text", "")}
    item |= {name: cells[name] for name in OWN[1:] if cells.get(name)}
    metadata = {name: cell for name, cell in cells.items() if cell and name not in OWN}
    return {**item, "metadata": metadata} if metadata else item
