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
from db.job import Result

Cell = str | float | bool | None
# A spreadsheet takes a cell that begins so for a formula, and calculates what a student wrote (OWASP, "CSV injection").
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
PIECE = 64 * 1024
LONGEST_CELL = 32_767  # of Excel
ERASED = "It was erased."


def columns(criteria: Sequence[dict[str, Any]]) -> list[str]:
    """The heads of the columns: what the machine says, each score with its interval beside it, then what people decided.

    `<score>_final` is the person's where there is one, else the machine's. New ones come last: programs may count columns.
    """
    names = [str(criterion["name"]) for criterion in criteria]
    scores = [f"{name}{what}" for name in names for what in ("", "_low", "_high", "_level")]
    whole = ["external_id", "state", "overall", "overall_low", "overall_high"]
    machine = [*map(_harmless, [*whole, *scores]), "needs_review", "reasons", "error", "job_id"]
    decided = [f"{name}{what}" for name in ("overall", *names) for what in ("_reviewed", "_final")]
    told = [f"{name}_feedback" for name in names]
    return [*machine, *map(_harmless, [*decided, *told]), "review_comment", "reviewed_by", "reviewed_at", "erased_at"]


def row(view: JobView, criteria: Sequence[dict[str, Any]]) -> list[Cell]:
    """A job's cells, in the order of `columns`; what is not there is None."""
    job, result = view.job, view.result
    scores = {score["criterion"]: score for score in result.scores} if result else {}
    cells: list[Cell] = [job.external_id, job.state, *_numbers(result.overall if result else None)]
    for criterion in criteria:
        score = scores.get(criterion["name"])
        cells += [*_numbers(score), score["level"] if score else None]
    reasons = result.review_reasons if result else []
    error = job.error["detail"] if job.error else ERASED if job.erased_at and not result else None
    cells += [bool(reasons) if result else None, "; ".join(reasons), error, str(job.id), *_decided(result, criteria)]
    cells.append(job.erased_at.isoformat().replace("+00:00", "Z") if job.erased_at else None)
    return [_harmless(cell) if isinstance(cell, str) else cell for cell in cells]


def _decided(result: Result | None, criteria: Sequence[dict[str, Any]]) -> list[Cell]:
    """A person's points, and the final ones; the feedback; the person's comment, who it was, and when."""
    review = (result.review if result else None) or {}
    scores = {score["criterion"]: score for score in result.scores} if result else {}
    points, names = review.get("scores") or {}, [criterion["name"] for criterion in criteria]
    pairs = [(review.get("overall"), result.overall["score"] if result else None)]
    pairs += [(points.get(name), scores[name]["score"] if name in scores else None) for name in names]
    cells = [cell for person, machine in pairs for cell in (person, machine if person is None else person)]
    told = [" ".join(scores[name]["feedback"]) if name in scores else None for name in names]
    return [*cells, *told, review.get("comment"), review.get("reviewer") or review.get("who"), review.get("at")]


def as_csv(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """CSV in UTF-8, in pieces."""
    out = io.StringIO()
    # Texts in quotes: where lists are parted by semicolons, one inside a text would end its cell and begin another. Heads
    # are bare, as programs look for them, unless a criterion's name has such a sign.
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)
    (writer if any(sign in head for head in heads for sign in ";|\t") else csv.writer(out)).writerow(heads)
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
