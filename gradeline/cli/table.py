"""Jobs as a table, and the bar while they are graded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from gradeline.client import Client

COLOURS = {"Excellent": "green", "Good": "cyan", "Fair": "yellow", "Poor": "red"}


def bar(console: Console) -> Progress:
    """A bar that shows how many of all are done."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True)


def grade_with_bar(
    client: Client, submits: Sequence[Callable[[], dict[str, Any]]], console: Console
) -> list[dict[str, Any]]:
    """Submits (each call makes a job), shows the jobs being graded, and returns them in order."""
    with bar(console) as progress:
        task = progress.add_task("grading", total=len(submits))
        ids = [submit()["id"] for submit in submits]
        done = client.wait_for(ids, on_done=lambda _: progress.advance(task))
    return [done[job_id] for job_id in ids]


def table_of(names: Sequence[str], jobs: Sequence[dict[str, Any]]) -> Table:
    """A row a text: its scores with their intervals, what to look at, and how long it took."""
    criteria = next(([s["criterion"] for s in job["scores"]] for job in jobs if job["scores"]), [])
    table = Table(caption="score, 90 % interval; time from hand-in to result", show_lines=False, header_style="bold")
    table.add_column("text")
    for criterion in criteria:
        table.add_column(criterion.replace("_", " "), justify="right")
    for column in ("overall", "ms"):
        table.add_column(column, justify="right")
    table.add_column("look at")
    for name, job in zip(names, jobs, strict=True):
        table.add_row(name, *_cells(job, len(criteria)))
    return table


def _cells(job: dict[str, Any], width: int) -> list[Text]:
    if not job["scores"]:
        reason = (job["error"] or {}).get("detail", job["state"])
        return [*[Text("-")] * (width + 2), Text(reason, style="red")]
    scores = [_score(s, COLOURS.get(s.get("level") or "", "")) for s in job["scores"]]
    remarks = ", ".join(dict.fromkeys(job["review_reasons"]))
    return [
        *scores,
        _score(job["overall"], "bold"),
        Text(f"{job['timings']['total_ms']:.0f}"),
        Text(remarks, style="yellow"),
    ]


def _score(score: dict[str, Any], style: str) -> Text:
    low, high = score["interval"]
    return Text.assemble((f"{score['score']:.0f}", style), (f" {low:.0f}-{high:.0f}", "dim"))
