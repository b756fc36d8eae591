"""`gradeline grade`."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from gradeline.cli.bar import grade_with_bar
from gradeline.cli.handing_in import grade_class, is_class, look_for, read_text, submit_one
from gradeline.cli.options import client_of, home_option, open_home
from gradeline.cli.table import table_of
from gradeline.cli.terminal import terminal


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--prompt", help="the task that the texts answer; @FILE reads it from a file")
@click.option("--rubric", help="a rubric's name, name@version or id [default]")
@click.option("--json", "as_json", is_flag=True, help="print the jobs as JSON")
@home_option
def grade(files: tuple[str, ...], prompt: str | None, rubric: str | None, as_json: bool, home: Path | None) -> None:
    """Grade files: .txt, .md, .docx, .pdf; - reads standard input.

    A folder, a .zip of files, a .csv (columns text, external_id, prompt) or an .ndjson is a class, and graded as a batch.
    """
    look_for(files)
    shared = {"prompt": _prompt(prompt), "rubric": rubric}
    fields = {name: value for name, value in shared.items() if value}
    single = [file for file in files if not is_class(file)]
    names, jobs, console = [Path(file).name for file in single], list[dict[str, Any]](), terminal(stderr=True)
    with client_of(open_home(home)) as client:
        if single:
            jobs = grade_with_bar(client, [partial(submit_one, client, file, fields) for file in single], console)
        for file in files:
            if is_class(file):
                of_class = grade_class(client, file, fields, console)
                names, jobs = names + of_class[0], jobs + of_class[1]
    if as_json:
        click.echo(json.dumps(jobs, indent=1))
    else:
        out = terminal()
        out.print(table_of(names, jobs, out.width))
    if any(job["state"] != "succeeded" for job in jobs):
        sys.exit(1)


def _prompt(given: str | None) -> Any:
    return read_text(given[1:]) if given and given.startswith("@") else given
