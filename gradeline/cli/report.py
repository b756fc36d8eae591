"""`gradeline report`: how well a rubric's scores agree with people, as a page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from gradeline.cli.options import client_of, home_option, open_home


@click.command()
@click.argument("name")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="[NAME-report.html]"
)
@click.option("--calibration", metavar="ID", help="of this calibration [the active one, or else the newest]")
@click.option("--json", "as_json", is_flag=True, help="the figures as JSON, on standard output unless FILE is given")
@home_option
def report(name: str, output: Path | None, calibration: str | None, as_json: bool, home: Path | None) -> None:
    """Save how well the scores of the rubric NAME agree with people, as a page to open in a browser.

    NAME is `default` for the rubric that comes along, or that of one of your own.
    """
    query = {"calibration": calibration} if calibration else {}
    with client_of(open_home(home)) as client:
        if as_json:
            content = (json.dumps(client.rubrics.report(name, **query), indent=1) + "\n").encode()
        else:
            content = client.rubrics.report_page(name, **query)
            output = output or Path(file_name(name))
    if output is None:
        click.echo(content.decode(), nl=False)
        return
    output.write_bytes(content)
    click.echo(f"saved {output.resolve()}{'' if as_json else ': open it in a browser'}")


def file_name(rubric: str) -> str:
    """The name of a rubric's page: what file systems refuse becomes a dash."""
    return re.sub(r"[^\w@. -]+", "-", rubric).strip(". ") + "-report.html"
