"""A rubric as a Canvas rubric CSV, and cells that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

from api.result_files import FORMULA

HEADER = ("Rubric Name", "Criteria Name", "Criteria Description", "Criteria Enable Range")
RATING = ("Rating Name", "Rating Description", "Rating Points")
NUMBER = re.compile(r"-?[0-9.]+")


def write(name: str, criteria: Sequence[dict[str, Any]]) -> str:
    """A rubric as Canvas reads it. A criterion without levels gets its two ends as ratings and the range switched on."""
    out = io.StringIO()
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
    ratings = max((len(cells) - len(HEADER)) // 3 for cells in rows)
    csv.writer(out).writerow([*HEADER, *RATING * ratings])
    quoted = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)  # as the results of a batch
    quoted.writerows([[guarded(cell) for cell in cells] for cells in rows])
    return out.getvalue()


def _ranged(criterion: dict[str, Any]) -> bool:
    return criterion.get("step") is None


def _points(points: float) -> float | int:
    """Whole ones as people write them; the others with every digit."""
    return int(points) if points.is_integer() else points


def guarded(cell: Any) -> Any:
    """A cell that a spreadsheet would run as a formula begins with an apostrophe instead, which `unguarded` takes away again.

    One that is such already gets another, so that what comes back is what was there. A number is no formula.
    """
    runs = isinstance(cell, str) and cell.lstrip("'").startswith(FORMULA) and not NUMBER.fullmatch(cell)
    return f"'{cell}" if runs else cell


def unguarded(cell: str) -> str:
    """A cell without the spaces around it, and without the apostrophe that `guarded` puts in front."""
    cell = cell.strip()
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA) else cell
