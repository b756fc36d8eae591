"""The bar while texts are graded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from gradeline.cli.terminal import shown
from gradeline.client import Client
from gradeline.errors import ClientError

Json = dict[str, Any]
GRADING, ASKING = "grading", "no answer, asking again"


def bar(console: Console) -> Progress:
    """A bar that shows how many of all are done."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def asking_again(progress: Progress, task: TaskID) -> Callable[[ClientError], None]:
    """What the bar does while nobody answers: it says so in its line, and once above it, where it stays."""

    def away(error: ClientError) -> None:
        if progress.tasks[task].description != ASKING:
            progress.console.print(shown(f"{error}; asking again"))
        progress.update(task, description=ASKING)

    return away


def grade_with_bar(client: Client, submits: Sequence[Callable[[], Json]], console: Console) -> list[Json]:
    """Submits (each call makes a job), shows the jobs being graded, and returns them in order."""
    with bar(console) as progress:
        task = progress.add_task(GRADING, total=len(submits))
        ids = [submit()["id"] for submit in submits]
        try:
            done = client.wait_for(
                ids,
                on_done=lambda _: progress.update(task, advance=1, description=GRADING),
                on_away=asking_again(progress, task),
            )
        except (ClientError, TimeoutError) as error:
            later = f"GET {client.url}/v1/jobs/<id> tells of each: {', '.join(ids)}"
            raise ClientError(f"{error}. They are graded all the same; {later}") from error
    return [done[job_id] for job_id in ids]
