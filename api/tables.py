"""What a table may have at most: a column costs something in every row, and a line even when it is blank."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from api.errors import InvalidRequest, TooLarge

MOST_COLUMNS, MOST_LINES = 500, 2_000_000
LONGEST_CELL = 1_000_000  # longer than any text that the API would take


def counted(lines: Iterable[str]) -> Iterator[str]:
    """The lines of a table. TooLarge when there are more than one may have."""
    for number, line in enumerate(lines):
        if number >= MOST_LINES:
            raise TooLarge(f"The table has more than {MOST_LINES:,} lines. Send the rest as another one.")
        yield line


def check_columns(columns: Sequence[str]) -> None:
    """InvalidRequest when a header has no column `text`, or more columns than one may have."""
    if len(columns) > MOST_COLUMNS:
        message = f"The CSV has {len(columns):,} columns; at most {MOST_COLUMNS} can be read."
        raise InvalidRequest(message, [{"loc": [1], "msg": f"more than {MOST_COLUMNS} columns"}])
    if "text" not in columns:
        message = "The CSV needs a header with the column 'text'."
        raise InvalidRequest(message, [{"loc": [1], "msg": "no column 'text'"}])
