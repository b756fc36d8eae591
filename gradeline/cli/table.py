"""Jobs as a table, in a terminal of any width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradeline.cli.terminal import shown

Json = dict[str, Any]
COLOURS = {"Excellent": "green", "Good": "cyan", "Fair": "yellow", "Poor": "red"}
# Names and remarks have so many columns of a terminal at least, if they need them; what is longer is folded.
NAME, REMARK, HEAD = 20, 20, 12


@dataclass(frozen=True)
class Shape:
    """What a table shows beside names and overall scores."""

    ms: bool = True
    remarks_apart: bool = True  # in a column of their own, or else below the name, with less room between columns
    intervals: bool = True
    criteria: bool = True


# The first that a terminal has room for is taken.
SHAPES = (
    Shape(),
    Shape(ms=False),
    Shape(ms=False, remarks_apart=False),
    Shape(ms=False, remarks_apart=False, intervals=False),
    Shape(ms=False, remarks_apart=False, criteria=False),
)


def table_of(names: Sequence[str], jobs: Sequence[Json], width: int) -> Table:
    """A row a text: its scores with their intervals, what to look at, and how long it took.

    In a terminal of `width` columns; what it has no room for is left out, the least needed first.
    """
    shapes = iter(SHAPES)
    table = _table(names, jobs, next(shapes))
    for shape in shapes:
        if _needs(table) <= width:
            break
        table = _table(names, jobs, shape)
    return table


def _table(names: Sequence[str], jobs: Sequence[Json], shape: Shape) -> Table:
    criteria = next(([s["criterion"] for s in job["scores"]] for job in jobs if job["scores"]), [])
    heads = [*(criteria if shape.criteria else []), "overall", *(["ms"] if shape.ms else [])]
    rows = [_cells(job, len(criteria), shape) for job in jobs]
    remarks = [_remarks(job) for job in jobs]
    table = Table(caption=_caption(shape), header_style="bold")
    if not shape.remarks_apart:
        table.box, table.padding, table.pad_edge = None, (0, 2, 0, 0), False
    table.add_column("text", min_width=_room([shown(name) for name in names], NAME), overflow="fold")
    for number, head in enumerate(heads):
        word = _room([Text(each) for each in head.replace("_", " ").split()], HEAD)
        needed = max(word, *(row[number].cell_len for row in rows), 1)
        table.add_column(shown(head.replace("_", " ")), justify="right", width=needed, overflow="fold")
    if shape.remarks_apart:
        table.add_column("look at", min_width=max(7, _room(remarks, REMARK)), overflow="fold")
    for name, cells, remark in zip(names, rows, remarks, strict=True):
        first = shown(name)
        if shape.remarks_apart:
            table.add_row(first, *cells, remark)
        else:
            table.add_row(Group(first, Padding(remark, (0, 0, 0, 2))) if remark else first, *cells)
    return table


def _needs(table: Table) -> int:
    """The least columns of a terminal that the table is readable in."""
    apart, edge = (2, -2) if table.box is None else (3, 1)
    return sum((column.width or column.min_width or 0) + apart for column in table.columns) + edge


def _room(words: Sequence[Text], most: int) -> int:
    return min(most, max((each.cell_len for each in words), default=1))


def _caption(shape: Shape) -> str:
    scores = "score, 90 % interval" if shape.intervals else "score"
    if not (shape.criteria and shape.intervals):
        return f"{scores}; the rest is in a wider window and in --json"
    return f"{scores}; time from hand-in to result" if shape.ms else scores


def _cells(job: Json, width: int, shape: Shape) -> list[Text]:
    count = (width if shape.criteria else 0) + 1 + shape.ms
    if not job["scores"]:
        return [Text("-")] * count
    scores = [(s, COLOURS.get(s.get("level") or "", "")) for s in job["scores"]] if shape.criteria else []
    time = [Text(f"{job['timings']['total_ms']:.0f}")] if shape.ms else []
    return [*(_score(*each, shape) for each in (*scores, (job["overall"], "bold"))), *time]


def _remarks(job: Json) -> Text:
    if not job["scores"]:
        return shown((job["error"] or {}).get("detail", job["state"]), "red")
    return shown(", ".join(dict.fromkeys(job["review_reasons"])), "yellow")


def _score(score: Json, style: str, shape: Shape) -> Text:
    low, high = score["interval"]
    interval = f" {low:.0f}-{high:.0f}" if shape.intervals else ""
    return Text.assemble((f"{score['score']:.0f}", style), (interval, "dim"))
