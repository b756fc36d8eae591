"""The results of a batch as a table: a row a text, for CSV and for spreadsheets."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from xlsxwriter import Workbook

from db.finding import JobView

Cell = str | float | bool | None
# A spreadsheet takes a cell that begins so for a formula, and calculates what a student wrote (OWASP, "CSV injection").
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
PIECE = 64 * 1024
LONGEST_CELL = 32_767  # of Excel


def columns(criteria: Sequence[dict[str, Any]]) -> list[str]:
    """The heads of the columns: each score has its interval beside it."""
    names = [str(criterion["name"]) for criterion in criteria]
    scores = [f"{name}{what}" for name in names for what in ("", "_low", "_high", "_level")]
    whole = ["external_id", "state", "overall", "overall_low", "overall_high"]
    return [*map(_harmless, [*whole, *scores]), "needs_review", "reasons", "error", "job_id"]


def row(view: JobView, criteria: Sequence[dict[str, Any]]) -> list[Cell]:
    """A job's cells, in the order of `columns`; what is not there is None."""
    job, result = view.job, view.result
    scores = {score["criterion"]: score for score in result.scores} if result else {}
    cells: list[Cell] = [job.external_id, job.state, *_numbers(result.overall if result else None)]
    for criterion in criteria:
        score = scores.get(criterion["name"])
        cells += [*_numbers(score), score["level"] if score else None]
    reasons = result.review_reasons if result else []
    error = job.error["detail"] if job.error else None
    cells += [bool(reasons) if result else None, "; ".join(reasons), error, str(job.id)]
    return [_harmless(cell) if isinstance(cell, str) else cell for cell in cells]


def as_csv(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """CSV in UTF-8, in pieces."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(heads)
    for cells in rows:
        writer.writerow([str(cell).lower() if isinstance(cell, bool) else cell for cell in cells])
        if out.tell() > PIECE:
            yield _taken(out)
    yield _taken(out)


def as_xlsx(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> IO[bytes]:
    """A spreadsheet, in a temporary file that whoever reads it closes. It is written row by row."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.xlsx"
        with Workbook(str(path), {"constant_memory": True, "tmpdir": folder}) as book:
            sheet, bold = book.add_worksheet("results"), book.add_format({"bold": True})
            sheet.freeze_panes(1, 1)
            for place, head in enumerate(heads):
                sheet.write_string(0, place, head, bold)
            for number, cells in enumerate(rows, 1):
                _write(sheet, number, cells)
        return path.open("rb")  # its name goes with the folder, the file when it is closed


def _write(sheet: Any, number: int, cells: Sequence[Cell]) -> None:
    for place, cell in enumerate(cells):
        if isinstance(cell, str):
            sheet.write_string(number, place, cell[:LONGEST_CELL])  # never a formula, a link, or a number
        elif isinstance(cell, bool):
            sheet.write_boolean(number, place, cell)
        elif cell is not None:
            sheet.write_number(number, place, cell)


def _numbers(score: dict[str, Any] | None) -> list[Cell]:
    return [score["score"], *score["interval"]] if score else [None] * 3


def _harmless(text: str) -> str:
    """With an apostrophe in front, it is read as text."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _taken(out: io.StringIO) -> bytes:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text.encode()
