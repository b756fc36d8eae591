"""A person's own graded essays, from a CSV. What is wrong in it is said by row and column."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from worker.errors import WorkerError
from worker.head.traits import CRITERIA, CRITERION_OF, measured_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST = 20
STEPS = (1.0, 0.5, 0.25)
LONGEST_CELL = 50_000_000
PLAIN = ("text", "prompt", "assignment")
Rows = Sequence[tuple[int, dict[str, str]]]


class BadData(WorkerError):
    """Raised when a file of graded essays can't be read; says where."""


@dataclass(frozen=True)
class Graded:
    """n essays with scores on C criteria, `low` to `high`; NaN where nobody graded."""

    texts: list[str]
    prompts: list[str | None]
    groups: NDArray[np.str_]  # (n,) the assignment, or else the prompt
    criteria: tuple[str, ...]
    scores: NDArray[np.float64]  # (n, C)
    low: float
    high: float
    step: float | None  # of the scale as people used it; None if it has none
    sha256: str  # of the file
    notes: tuple[str, ...]  # what was assumed, for people

    @property
    def unit(self) -> NDArray[np.float64]:
        """(n, C) from 0 to 1."""
        return (self.scores - self.low) / (self.high - self.low)

    @property
    def scales(self) -> list[dict[str, object]]:
        """The criteria as agreement is reckoned on them."""
        return [{"name": name, "min": self.low, "max": self.high, "step": self.step} for name in self.criteria]


def read_graded(file: Path, low: float | None = None, high: float | None = None, fewest: int = FEWEST) -> Graded:
    """The graded essays of a file. Several traits of one criterion count as their mean. BadData says what is wrong."""
    try:
        data = file.read_bytes()
        rows, columns = _rows(data.decode("utf-8-sig"))
    except OSError as error:
        raise BadData(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadData(f"{file} is not a text file in UTF-8") from error
    scored = {column: name for column in columns if column not in PLAIN and (name := measured_by(column))}
    if not scored:
        raise BadData(
            f"{file.name} has no column of scores: name them {', '.join(CRITERIA)}, or by traits of these "
            f"({', '.join(CRITERION_OF)})"
        )
    points = np.array([[_number(row, n, column) for column in scored] for n, row in rows], np.float64)
    kept = [k for k in range(len(rows)) if not np.isnan(points[k]).all()]
    rows, points = [rows[k] for k in kept], points[kept]
    if len(rows) < fewest:
        raise BadData(f"{file.name} has {len(rows)} graded essays; at least {fewest} are needed")
    notes = _notes(columns, scored, len(rows))
    bottom = float(np.nanmin(points)) if low is None else low
    top = float(np.nanmax(points)) if high is None else high
    if low is None or high is None:
        notes.append(f"the scale is taken to be {bottom:g} to {top:g}, as in the data: --min and --max say another")
    _within(points, rows, list(scored), bottom, top)
    criteria = tuple(c for c in CRITERIA if c in scored.values())
    scores = np.stack([_mean(points, [name == c for name in scored.values()]) for c in criteria], axis=1)
    for k, name in enumerate(criteria):
        _enough(scores[:, k], name, fewest)
    prompts = [row.get("prompt", "").strip() or None for _, row in rows]
    groups = np.array([row.get("assignment", "").strip() or p or "" for (_, row), p in zip(rows, prompts, strict=True)])
    texts = [row["text"] for _, row in rows]
    sha256 = hashlib.sha256(data).hexdigest()
    return Graded(texts, prompts, groups, criteria, scores, bottom, top, _step(points - bottom), sha256, tuple(notes))


def _rows(body: str) -> tuple[Rows, list[str]]:
    """The rows with their numbers, as spreadsheets count them, and the names of the columns."""
    csv.field_size_limit(LONGEST_CELL)
    try:
        header, *cells = list(csv.reader(io.StringIO(body, newline=""), strict=True)) or [[]]
    except csv.Error as error:
        raise BadData(f"this is not a CSV: {error}") from error
    columns = [name.strip() for name in header]
    columns = [name.lower() if name.lower() in PLAIN else name for name in columns]
    if "text" not in columns:
        raise BadData(f"row 1: there is no column 'text' (found: {', '.join(columns) or 'nothing'})")
    twice = {name for name in columns if name and columns.count(name) > 1}
    if twice:
        raise BadData(f"row 1: the column '{min(twice)}' is there twice")
    rows = []
    for n, row in enumerate(cells, 2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) > len(columns):
            raise BadData(f"row {n}: {len(row)} cells, but the first row names {len(columns)} columns")
        named = dict(zip(columns, [*row, *[""] * (len(columns) - len(row))], strict=True))
        if not named["text"].strip():
            raise BadData(f"row {n}, column 'text': empty")
        rows.append((n, named))
    return rows, columns


def _number(row: dict[str, str], n: int, column: str) -> float:
    cell = row[column].strip()
    if not cell:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadData(f"row {n}, column '{column}': '{cell[:40]}' is not a number")
    return value


def _within(points: NDArray[np.float64], rows: Rows, columns: list[str], low: float, high: float) -> None:
    if not low < high:
        raise BadData(f"a scale from {low:g} to {high:g} has no length: say --min and --max")
    for k, column in np.argwhere((points < low) | (points > high)):
        where = f"row {rows[k][0]}, column '{columns[column]}'"
        raise BadData(f"{where}: {points[k, column]:g} is outside the scale, {low:g} to {high:g}")


def _step(above: NDArray[np.float64]) -> float | None:
    known = above[~np.isnan(above)]
    return next((step for step in STEPS if np.allclose(known / step, np.rint(known / step))), None)


def _mean(points: NDArray[np.float64], chosen: list[bool]) -> NDArray[np.float64]:
    """(n,) the mean of what was graded of some columns; NaN where nothing was."""
    known = ~np.isnan(points[:, chosen])
    count = known.sum(axis=1)
    total = np.where(known, points[:, chosen], 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _enough(scores: NDArray[np.float64], name: str, fewest: int) -> None:
    known = scores[~np.isnan(scores)]
    if len(known) < fewest:
        raise BadData(f"{name} has {len(known)} scores; at least {fewest} are needed")
    if fewest >= FEWEST and np.ptp(known) == 0:
        raise BadData(f"all scores of {name} are {known[0]:g}: nothing can be learned from them")


def _notes(columns: list[str], scored: dict[str, str], graded: int) -> list[str]:
    rest = [name for name in columns if name and name not in PLAIN and name not in scored]
    notes = [f"{graded} graded essays; " + ", ".join(f"{a} -> {b}" if a != b else a for a, b in scored.items())]
    return [*notes, f"columns that are not used: {', '.join(rest)}"] if rest else notes
