"""Graded examples as CSV: a row an example.

Columns: `text`; one for each criterion; `<criterion>_2`, a second rater's scores; `group:<name>`, such as `group:gender`.
A criterion whose own name ends in _2 keeps its column. Rows without any score are the cohort.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from typing import Any

from pydantic import ValidationError

from api.calibration_bodies import ExampleBody
from api.errors import InvalidRequest, TooLarge
from api.problems import MOST_ERRORS, field_errors
from api.tables import LONGEST_CELL, check_columns, counted

csv.field_size_limit(LONGEST_CELL)
MOST_ROWS = 10_000
SECOND, GROUP = "_2", "group:"


def read(text: str, criteria: Collection[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The graded examples and the cohort. InvalidRequest with the rows that can't be read, TooLarge."""
    rows = csv.DictReader(counted(io.StringIO(text, newline="")))  # old spreadsheets end lines with a return alone
    graded: list[dict[str, Any]] = []
    cohort: list[dict[str, Any]] = []
    wrong: list[dict[str, Any]] = []
    try:
        check_columns(rows.fieldnames or ())
        for number, row in enumerate(rows, start=2):
            if number > MOST_ROWS + 1:
                raise TooLarge(f"There are more than {MOST_ROWS:,} rows.")
            try:
                found = example(row, criteria)
            except (ValidationError, ValueError) as error:
                message = field_errors(error)[0]["msg"] if isinstance(error, ValidationError) else str(error)
                wrong.append({"loc": [number], "msg": message})
                continue
            (graded if found.get("scores") else cohort).append(found)
    except csv.Error as error:
        raise InvalidRequest(f"Line {rows.line_num} is not CSV: {error}.") from error
    if wrong:
        raise InvalidRequest(f"Row {wrong[0]['loc'][0]}: {wrong[0]['msg']}", wrong[:MOST_ERRORS])
    return graded, cohort


def example(row: dict[Any, Any], criteria: Collection[str]) -> dict[str, Any]:
    """One row. ValueError or ValidationError when it is none."""
    if None in row:
        raise ValueError("more cells than the header has")
    filled = {name: cell.strip() for name, cell in row.items() if name != "text" and cell is not None and cell.strip()}
    groups = {name[len(GROUP) :]: cell for name, cell in filled.items() if _is_group(name, criteria)}
    marks = {name: _number(name, cell) for name, cell in filled.items() if not _is_group(name, criteria)}
    second = {name[: -len(SECOND)]: mark for name, mark in marks.items() if _is_second(name, criteria)}
    scores = {name: mark for name, mark in marks.items() if not _is_second(name, criteria)}
    found = {"text": row["text"] or "", "scores": scores, "scores_2": second, "groups": groups}
    if not marks:
        ExampleBody.model_validate({**found, "scores": {"any": 0}})
        return {"text": row["text"]}
    ExampleBody.model_validate(found)
    return found


def _is_group(name: str, criteria: Collection[str]) -> bool:
    return name.startswith(GROUP) and name not in criteria


def _is_second(name: str, criteria: Collection[str]) -> bool:
    return name.endswith(SECOND) and name not in criteria and name[: -len(SECOND)] in criteria


def _number(name: str, cell: str) -> float:
    try:
        return float(cell.replace(",", "."))
    except ValueError:
        raise ValueError(f"'{cell[:40]}' in the column '{name}' is no number") from None
