"""`gradeline grade`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from gradeline.cli.options import client_of, home_option, open_home
from gradeline.cli.table import grade_with_bar, table_of
from gradeline.errors import ClientError


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--prompt", help="the task that the texts answer; @FILE reads it from a file")
@click.option("--rubric", help="a rubric's name, name@version or id [default]")
@click.option("--json", "as_json", is_flag=True, help="print the jobs as JSON")
@home_option
def grade(files: tuple[str, ...], prompt: str | None, rubric: str | None, as_json: bool, home: Path | None) -> None:
    """Grade text files; - reads standard input."""
    shared = {"prompt": _prompt(prompt), "rubric": rubric}
    fields = {name: value for name, value in shared.items() if value}
    texts = [{"text": read_text(file), **fields} for file in files]
    with client_of(open_home(home)) as client:
        jobs = grade_with_bar(client, texts, Console(stderr=True))
    if as_json:
        click.echo(json.dumps(jobs, indent=1))
    else:
        Console().print(table_of([Path(file).name for file in files], jobs))
    if any(job["state"] != "succeeded" for job in jobs):
        sys.exit(1)


def read_text(file: str) -> str:
    """A file's text. ClientError says what is wrong with it."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ClientError(f"{file} is not a text file in UTF-8") from error
    except OSError as error:
        raise ClientError(f"{file}: {error.strerror}") from error


def _prompt(given: str | None) -> Any:
    return read_text(given[1:]) if given and given.startswith("@") else given
