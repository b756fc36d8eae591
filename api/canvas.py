"""Canvas rubric CSV, read and written: one row a criterion, then name, description and points of each rating."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from string import digits
from typing import Any, TextIO

from api.problems import part_problem
from api.result_files import FORMULA
from api.tables import MOST_COLUMNS, counted

COLUMNS = ("rubric name", "criteria name", "criteria description", "criteria enable range")
RATING = ("Rating Name", "Rating Description", "Rating Points")
MOST_ROWS = 5000
NUMBER = re.compile(r"-?[0-9.]+")


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


def read(file: TextIO) -> tuple[list[Found], list[dict[str, Any]]]:
    """The rubrics of a file, and those that are refused: `{"rubric", "row", "problem"}`.

    Rows may be shorter or longer than the header, headers may be numbered (`Rating Name 2`), a blank rubric name means
    the one above. Rows are counted as a spreadsheet does; the header is row 1.
    """
    rows = csv.reader(counted(file))
    try:
        # Not by a pattern: one that ends in digits tries each digit of a long row of them as its first.
        head = [cell.strip().rstrip(digits).strip().lower() for cell in next(rows, [])]
        if len(head) > MOST_COLUMNS:
            return [], [refused("", 1, [{"loc": ["header"], "msg": f"more than {MOST_COLUMNS} columns"}])]
        if not set(COLUMNS[:2]) <= set(head):
            missing = [c.title() for c in COLUMNS[:2] if c not in head]
            return [], [refused("", 1, [{"loc": ["header"], "msg": f"no column {', '.join(missing)}"}])]
        found: dict[str, Found] = {}
        last = ""
        for number, row in enumerate(rows, start=2):
            if number > MOST_ROWS:
                return [], [refused("", number, [{"loc": [number], "msg": f"more than {MOST_ROWS} rows"}])]
            if len(row) > MOST_COLUMNS:
                return [], [refused(last, number, [{"loc": [number], "msg": f"more than {MOST_COLUMNS} cells"}])]
            if any(cell.strip() for cell in row):
                last = _cell(row, head, "rubric name") or last
                _add(found.setdefault(last, Found(last, number)), row, head, number)
    except csv.Error as error:
        return [], [refused("", rows.line_num, [{"loc": [rows.line_num], "msg": f"not CSV: {error}"}])]
    bad = [refused(f.name, f.row, f.wrong) for f in found.values() if f.wrong]
    return [f for f in found.values() if not f.wrong], bad


def refused(name: str, row: int, errors: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A rubric that can't be used, and why."""
    return {"rubric": name, "row": row, "problem": part_problem("The rubric can't be read", errors)}


def _cell(row: list[str], head: list[str], column: str) -> str:
    place = head.index(column) if column in head else -1
    return _own(row[place]) if 0 <= place < len(row) else ""


def _add(found: Found, row: list[str], head: list[str], number: int) -> None:
    name = _cell(row, head, "criteria name")
    # Ratings follow in threes after the last named column; the header may name fewer of them than a row has.
    first = head.index("rating name") if "rating name" in head else len(COLUMNS)
    cells = [_own(cell) for cell in row[first:]]
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


def write(name: str, criteria: Sequence[dict[str, Any]]) -> str:
    """A rubric as Canvas reads it. A criterion without levels gets its two ends as ratings and the range switched on."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)  # as the results of a batch
    rows = []
    for criterion in criteria:
        levels = criterion.get("levels") or [
            {"name": "Full marks", "from": criterion["max"]},
            {"name": "No marks", "from": criterion["min"]},
        ]
        ordered = sorted(levels, key=lambda level: -float(level["from"]))
        top = ordered[0]["from"] < criterion["max"]
        cells: list[Any] = [name, criterion["name"], criterion.get("description", ""), str(_ranged(criterion)).lower()]
        for n, level in enumerate(ordered):
            # Canvas gives a rating the most points that it is worth; ours say where a level begins.
            points = criterion["max"] if n == 0 and top else level["from"]
            cells += [level["name"], level.get("description", ""), _points(float(points))]
        rows.append(cells)
    ratings = max((len(cells) - len(COLUMNS)) // 3 for cells in rows)
    writer.writerow(
        ["Rubric Name", "Criteria Name", "Criteria Description", "Criteria Enable Range", *RATING * ratings]
    )
    writer.writerows([[_harmless(cell) for cell in cells] for cells in rows])
    return out.getvalue()


def _ranged(criterion: dict[str, Any]) -> bool:
    return criterion.get("step") is None


def _points(points: float) -> float | int:
    """Whole ones as people write them; the others with every digit."""
    return int(points) if points.is_integer() else points


def _harmless(cell: Any) -> Any:
    """A cell that a spreadsheet would run as a formula begins with an apostrophe instead, which `_own` takes away again.

    One that is such already gets another, so that what comes back is what was there. A number is no formula.
    """
    guarded = isinstance(cell, str) and cell.lstrip("'").startswith(FORMULA) and not NUMBER.fullmatch(cell)
    return f"'{cell}" if guarded else cell


def _own(cell: str) -> str:
    """A cell without the spaces around it, and without the apostrophe that `_harmless` puts in front."""
    cell = cell.strip()
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA) else cell
