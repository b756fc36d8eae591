"""`gradeline failed`: what could not be graded, why, and once more."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.console import Group
from rich.padding import Padding
from rich.table import Table

from gradeline.cli.options import client_of, home_option, open_home
from gradeline.cli.terminal import shown, terminal

ID = 36  # characters of a UUID


@click.command()
@click.option("--batch", help="only jobs of the batch with this id")
@click.option("--code", help="only jobs with this reason, such as worker_lost")
@click.option("--rubric", help="only jobs of this rubric: a name, name@version or id")
@click.option("--limit", default=1000, show_default=True, type=click.IntRange(1, 10_000), help="so many at most")
@click.option("--retry", is_flag=True, help="queue them again instead of listing them; oldest first")
@click.option("--json", "as_json", is_flag=True, help="print the jobs as JSON")
@home_option
def failed(
    batch: str | None, code: str | None, rubric: str | None, limit: int, retry: bool, as_json: bool, home: Path | None
) -> None:
    """List the jobs that failed, newest first, with the reason of each."""
    filters = {name: each for name, each in (("batch", batch), ("code", code), ("rubric", rubric)) if each}
    with client_of(open_home(home)) as client:
        if retry:
            count = client.retry_failed(limit=limit, **filters)
            more = "; there may be more" if count == limit else ""
            click.echo(f"{count} job{'' if count == 1 else 's'} queued again{more}")
            return
        jobs = list(islice(client.jobs(state="failed", **filters), limit))
    if as_json:
        click.echo(json.dumps(jobs, indent=1))
    elif jobs:
        terminal().print(table_of(jobs))
    else:
        click.echo("no job has failed")


def table_of(jobs: list[dict[str, Any]]) -> Table:
    """A row a job, with the reason below its id: so it is readable in a narrow terminal too."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for head in ("id, reason", "code", "attempts", "failed at"):
        table.add_column(head, overflow="fold")
    table.columns[0].min_width, table.columns[1].no_wrap = ID, True
    for job in jobs:
        error = job["error"] or {"code": "-", "detail": "erased"}
        reason = Padding(shown(error["detail"], "red"), (0, 0, 0, 2))
        ended = job["finished_at"][:16].replace("T", " ")
        table.add_row(Group(shown(job["id"]), reason), shown(error["code"]), str(job["attempts"]), ended)
    return table
