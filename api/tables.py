"""CSV, row by row, as spreadsheets of any country write it, and what a table may have at most."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

from api.errors import InvalidRequest, TooLarge

# A column costs something in every row, and a line even when it is blank.
MOST_COLUMNS, MOST_LINES = 500, 2_000_000
LONGEST_CELL = 1_000_000  # longer than any text that the API would take
LONGEST_HEADER = 100_000  # in bytes, as far as the separator is looked for
SEPARATORS = ",;\t"
csv.field_size_limit(LONGEST_CELL)


class Row(NamedTuple):
    """A row and where it stands: `number` rows below the header, blank ones too; it begins in `line` of the file, from 1."""

    number: int
    line: int
    cells: list[str]


class TextRow(NamedTuple):
    """The same with its cells by their columns, as far as these have names; None when it has more cells than the header."""

    number: int
    line: int
    cells: dict[str, str] | None


def read_table(file: BinaryIO, is_header: Callable[[list[str]], bool]) -> Iterator[Row]:
    """The rows of a CSV from its start, its header first, without the blank ones.

    UTF-8; the separator is the comma, semicolon or tab by which the first row `is_header`. InvalidRequest, TooLarge.
    """
    separator = _separator(file, is_header)
    lines = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")  # old spreadsheets end lines with a return alone
    # Strict, because a quote that is not closed would make one cell of all rows up to the next quote.
    rows, line = csv.reader(_counted(lines), delimiter=separator, strict=True), 1
    try:
        for number, cells in enumerate(rows):
            if number == 0 or not _is_blank(cells):
                yield Row(number, line, cells)
            line = rows.line_num + 1
    except csv.Error as error:
        raise _not_csv(line, error) from error
    except UnicodeDecodeError as error:
        raise InvalidRequest("The CSV is not UTF-8. Save it as 'CSV UTF-8'.") from error
    finally:
        if not lines.closed:
            lines.detach()  # or it would close the file


def read_texts(file: BinaryIO) -> Iterator[TextRow]:
    """The rows of a CSV that has a column `text`. InvalidRequest when it has none, or one of a name twice; TooLarge."""
    rows = read_table(file, lambda cells: "text" in _bare(cells))
    columns = _bare(next(rows, Row(0, 1, [])).cells)
    _check(columns)
    for number, line, cells in rows:
        named = {name: cell for name, cell in zip(columns, cells, strict=False) if name}
        yield TextRow(number, line, named if len(cells) <= len(columns) else None)


def _separator(file: BinaryIO, is_header: Callable[[list[str]], bool]) -> str:
    file.seek(0)
    start = file.read(LONGEST_HEADER).decode("utf-8-sig", "replace")
    file.seek(0)
    return next((each for each in SEPARATORS if is_header(_first_row(start, each))), ",")


def _first_row(start: str, separator: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(start, newline=""), delimiter=separator), [])
    except csv.Error:
        return []


def _counted(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number >= MOST_LINES:
            raise TooLarge(f"The table has more than {MOST_LINES:,} lines. Send the rest as another one.")
        yield line


def _is_blank(cells: Sequence[str]) -> bool:
    """A line with nothing on it; spreadsheets write an empty row as separators. One cell alone says that it is there."""
    return len(cells) != 1 and not any(cell.strip() for cell in cells)


def _bare(cells: Sequence[str]) -> list[str]:
    return [cell.strip() for cell in cells]


def _not_csv(line: int, error: csv.Error) -> InvalidRequest:
    message = (
        f"the row that begins here is not CSV ({error}). Most often a quote is not closed: a cell that begins with a quote "
        "ends with one, and a quote inside it is written twice"
    )
    return InvalidRequest(f"Line {line}: {message}.", [{"loc": ["line", line], "msg": message}])


def _check(columns: Sequence[str]) -> None:
    if len(columns) > MOST_COLUMNS:
        message = f"The CSV has {len(columns):,} columns; at most {MOST_COLUMNS} can be read."
        raise InvalidRequest(message, [{"loc": ["header"], "msg": f"more than {MOST_COLUMNS} columns"}])
    if "text" not in columns:
        message = "The CSV needs a header with the column 'text'."
        raise InvalidRequest(message, [{"loc": ["header"], "msg": "no column 'text'"}])
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        message = f"The CSV has the column '{twice[0][:100]}' twice. Rename one of them, or take it out."
        raise InvalidRequest(message, [{"loc": ["header"], "msg": f"the column '{twice[0][:100]}' is there twice"}])
