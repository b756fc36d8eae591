"""Canvas rubric CSV, read: one row a criterion, then name, description and points of each rating."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from string import digits
from typing import Any, BinaryIO

from api.canvas_export import HEADER, unguarded
from api.problems import part_problem
from api.tables import MOST_COLUMNS, Row, read_table

COLUMNS = tuple(column.lower() for column in HEADER)
MOST_ROWS = 5000


@dataclass
class Found:
    """A rubric as a file has it: the body of `POST /v1/rubrics`, and the row where it begins."""

    name: str
    row: int
    criteria: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[dict[str, Any]] = field(default_factory=list)

    @property
    def body(self) -> dict[str, Any]:
        return {"name": self.name, "criteria": self.criteria}


def read(file: BinaryIO) -> tuple[list[Found], list[dict[str, Any]]]:
    """The rubrics of a file, and those that are refused: `{"rubric", "row", "problem"}`. InvalidRequest, TooLarge.

    Rows may be shorter or longer than the header, headers may be numbered (`Rating Name 2`), a blank rubric name means
    the one above. Rows are counted as a spreadsheet does; the header is row 1.
    """
    rows = read_table(file, lambda cells: set(COLUMNS[:2]) <= set(_head(cells)))
    head = _head(next(rows, Row(0, 1, [])).cells)
    if len(head) > MOST_COLUMNS:
        return [], [refused("", 1, [{"loc": ["header"], "msg": f"more than {MOST_COLUMNS} columns"}])]
    if not set(COLUMNS[:2]) <= set(head):
        missing = [c.title() for c in COLUMNS[:2] if c not in head]
        return [], [refused("", 1, [{"loc": ["header"], "msg": f"no column {', '.join(missing)}"}])]
    found: dict[str, Found] = {}
    last = ""
    for number, row in ((below + 1, cells) for below, _, cells in rows if any(map(str.strip, cells))):
        if number > MOST_ROWS:
            return [], [refused("", number, [{"loc": [number], "msg": f"more than {MOST_ROWS} rows"}])]
        if len(row) > MOST_COLUMNS:
            return [], [refused(last, number, [{"loc": [number], "msg": f"more than {MOST_COLUMNS} cells"}])]
        last = _cell(row, head, "rubric name") or last
        _add(found.setdefault(last, Found(last, number)), row, head, number)
    bad = [refused(f.name, f.row, f.wrong) for f in found.values() if f.wrong]
    return [f for f in found.values() if not f.wrong], bad


def _head(cells: Sequence[str]) -> list[str]:
    # Not by a pattern: one that ends in digits tries each digit of a long row of them as its first.
    return [cell.strip().rstrip(digits).strip().lower() for cell in cells]


def refused(name: str, row: int, errors: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A rubric that can't be used, and why."""
    return {"rubric": name, "row": row, "problem": part_problem("The rubric can't be read", errors)}


def _cell(row: list[str], head: list[str], column: str) -> str:
    place = head.index(column) if column in head else -1
    return unguarded(row[place]) if 0 <= place < len(row) else ""


def _add(found: Found, row: list[str], head: list[str], number: int) -> None:
    name = _cell(row, head, "criteria name")
    # Ratings follow in threes after the last named column; the header may name fewer of them than a row has.
    first = head.index("rating name") if "rating name" in head else len(COLUMNS)
    cells = [unguarded(cell) for cell in row[first:]]
    levels = []
    for k in range(0, len(cells), 3):
        label, description, points = [*cells[k : k + 3], "", ""][:3]
        if not (label or points):
            continue
        try:
            levels.append(
                {"name": label or points, "from": float(points.replace(",", ".")), "description": description}
            )
        except ValueError:
            found.wrong.append(
                {"loc": [number, f"rating {k // 3 + 1}"], "msg": f"points '{points[:40]}' are no number"}
            )
    for wrong, message in (
        (not found.name, "no rubric name"),
        (not name, "no criteria name"),
        (not levels, "no rating"),
    ):
        if wrong:
            found.wrong.append({"loc": [number], "msg": message})
    if name and levels:
        found.criteria.append(_criterion(name, _cell(row, head, "criteria description"), row, head, levels))


def _criterion(
    name: str, description: str, row: list[str], head: list[str], levels: list[dict[str, Any]]
) -> dict[str, Any]:
    points = sorted({level["from"] for level in levels})
    ranged = _cell(row, head, "criteria enable range").lower() in ("true", "yes", "1")
    gaps = [b - a for a, b in itertools.pairwise(points)]
    # Without a range, only the points of a rating can be given: a step when they are evenly spread from the lowest.
    even = bool(gaps) and max(gaps) - min(gaps) < 1e-9
    low = min(points[0], 0.0) if ranged or len(points) == 1 else points[0]
    return {
        "name": name,
        "description": description,
        "min": low,
        "max": points[-1],
        # The criterion's share of all points, as Canvas adds them up.
        "weight": max(points[-1], 0.0) or 1.0,
        "step": gaps[0] if even and not ranged else None,
        "levels": levels,
    }
