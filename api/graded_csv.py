"""Graded examples as CSV: a row an example.

Columns: `text`; one for each criterion; `<criterion>_2`, a second rater's scores; `group:<name>`, such as `group:gender`.
A criterion whose own name ends in _2 keeps its column. Rows without any score are the cohort.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, BinaryIO

from pydantic import ValidationError

from api.calibration_bodies import CohortText, ExampleBody
from api.errors import InvalidRequest, TooLarge
from api.lessons import Scales, misfits
from api.problems import MOST_ERRORS, field_errors
from api.tables import TextRow, read_texts

MOST_ROWS = 10_000
SECOND, GROUP = "_2", "group:"
# The columns that the fields of an example come from.
COLUMNS = {"scores": "{}", "scores_2": "{}" + SECOND, "groups": GROUP + "{}"}
Wrong = list[dict[str, Any]]


def read(file: BinaryIO, scales: Scales) -> tuple[list[ExampleBody], list[CohortText]]:
    """The graded examples and the cohort. InvalidRequest names rows that can't be used and their lines; TooLarge."""
    graded: list[ExampleBody] = []
    cohort: list[CohortText] = []
    wrong: Wrong = []
    for count, row in enumerate(read_texts(file), 1):
        if count > MOST_ROWS:
            raise TooLarge(f"There are more than {MOST_ROWS:,} rows.")
        found = _example(row, scales)
        if isinstance(found, list):
            wrong += [_named(row, each) for each in found]
        elif isinstance(found, ExampleBody):
            graded.append(found)
        else:
            cohort.append(found)
    if wrong:
        place = ", ".join(str(part) for part in wrong[0]["loc"][1:])
        raise InvalidRequest(f"Row {place}, {wrong[0]['msg']}", wrong[:MOST_ERRORS])
    return graded, cohort


def _named(row: TextRow, wrong: dict[str, Any]) -> dict[str, Any]:
    """What is wrong with a row, by its number, its column and its line."""
    return {"loc": ["row", row.number, *_column(wrong["loc"])], "msg": f"line {row.line}: {wrong['msg']}"}


def _column(loc: Sequence[Any]) -> list[str]:
    if len(loc) > 1 and loc[0] in COLUMNS:
        return [COLUMNS[loc[0]].format(loc[1])]
    return [str(part) for part in loc]


def _example(row: TextRow, scales: Scales) -> ExampleBody | CohortText | Wrong:
    """What one row has, or what is wrong with it."""
    if row.cells is None:
        return [{"loc": [], "msg": "more cells than the header has"}]
    try:
        found = _fields(row.cells, scales)
        if not found["scores"]:
            ExampleBody.model_validate({**found, "scores": {"any": 0}})  # its groups too
            return CohortText(text=found["text"])
        example = ExampleBody.model_validate(found)
    except ValidationError as error:
        return field_errors(error)
    except ValueError as error:
        return [{"loc": [], "msg": str(error)}]
    return [{"loc": list(loc), "msg": message} for *loc, message in misfits(example, scales)] or example


def _fields(cells: dict[str, str], criteria: Collection[str]) -> dict[str, Any]:
    """The fields of an example. ValueError when a score is no number, or a second rater's alone."""
    filled = {name: cell.strip() for name, cell in cells.items() if name != "text" and cell.strip()}
    groups = {name[len(GROUP) :]: cell for name, cell in filled.items() if _is_group(name, criteria)}
    marks = {name: _number(name, cell) for name, cell in filled.items() if not _is_group(name, criteria)}
    second = {name[: -len(SECOND)]: mark for name, mark in marks.items() if _is_second(name, criteria)}
    scores = {name: mark for name, mark in marks.items() if not _is_second(name, criteria)}
    if second and not scores:
        raise ValueError(f"a second rater has scored {', '.join(second)[:200]}, and no first one")
    return {"text": cells.get("text", ""), "scores": scores, "scores_2": second, "groups": groups}


def _is_group(name: str, criteria: Collection[str]) -> bool:
    return name.startswith(GROUP) and name not in criteria


def _is_second(name: str, criteria: Collection[str]) -> bool:
    return name.endswith(SECOND) and name not in criteria and name[: -len(SECOND)] in criteria


def _number(name: str, cell: str) -> float:
    try:
        return float(cell.replace(",", "."))
    except ValueError:
        raise ValueError(f"'{cell[:40]}' in the column '{name}' is no number") from None
