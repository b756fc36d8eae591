"""Rows out of JSON, NDJSON and CSV, one at a time."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from api.batch_rows import BadRow
from api.errors import InvalidRequest, TooLarge
from api.json_stream import LONGEST, members
from api.requests import not_an_object
from api.tables import LONGEST_CELL, MOST_LINES, check_columns, counted

ITEMS, SOME = "items", [None]
SEPARATORS = ",;\t"
OWN = ("text", "external_id", "prompt")
csv.field_size_limit(LONGEST_CELL)


def read_items(file: BinaryIO) -> Iterator[Any]:
    """The items of a JSON object that `read_settings` has looked through."""
    return (each.value for each in members(file, [ITEMS], LONGEST) if each.number is not None)


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


def read_ndjson(file: BinaryIO) -> Iterator[Any]:
    """The value of each line that is not blank."""
    file.seek(0)
    for number in itertools.count():
        if not (line := file.readline(LONGEST)):
            return
        if number >= MOST_LINES:
            raise TooLarge(f"There are more than {MOST_LINES:,} lines. Send the rest as another batch.")
        if not line.endswith(b"\n") and len(line) == LONGEST:
            _skip_line(file)
            yield BadRow(f"the line is longer than {LONGEST:,} bytes")
        elif line.strip():
            yield _json(line)


def _skip_line(file: BinaryIO) -> None:
    while (rest := file.readline(LONGEST)) and not rest.endswith(b"\n"):
        pass


def _json(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return BadRow("the line is not valid JSON in UTF-8")


def read_csv(file: BinaryIO) -> Iterator[Any]:
    """An item of each row that is not blank. Columns beside text, external_id and prompt become metadata.

    UTF-8; the separator is a comma, a semicolon or a tab. InvalidRequest when the whole can't be read.
    """
    separator = _separator(file)
    lines = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    rows = csv.DictReader(counted(lines), delimiter=separator)
    try:
        columns = [name.strip() for name in rows.fieldnames or ()]
        _check(columns)
        rows.fieldnames = columns
        for row in rows:
            if any(row.values()):
                yield _item(row)
    except csv.Error as error:
        raise InvalidRequest(f"Line {rows.line_num} is not CSV: {error}.") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest("The CSV is not UTF-8. Save it as 'CSV UTF-8'.") from error
    finally:
        lines.detach()  # or it would close the file


def _separator(file: BinaryIO) -> str:
    """The separator by which the header has a column `text`: spreadsheets of some countries write semicolons."""
    file.seek(0)
    header = "".join(file.readline(100_000).decode("utf-8-sig", "replace").splitlines()[:1])
    file.seek(0)
    return next((each for each in SEPARATORS if "text" in _cells(header, each)), ",")


def _cells(line: str, separator: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]


def _check(columns: list[str]) -> None:
    check_columns(columns)
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise InvalidRequest(f"The CSV has the column '{twice[0][:100]}' twice.", [{"loc": [1], "msg": "named twice"}])


def _item(row: dict[Any, Any]) -> Any:
    if None in row:
        return BadRow("the row has more cells than the header")
    item: dict[str, Any] = {"text": row["text"] or ""}
    item |= {name: row[name] for name in OWN[1:] if row.get(name)}
    metadata = {name: cell for name, cell in row.items() if name and cell and name not in OWN}
    return {**item, "metadata": metadata} if metadata else item
