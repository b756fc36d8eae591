"""The command `gradeline`."""

from __future__ import annotations

import sys

import click

from gradeline.cli.backup import backup, restore
from gradeline.cli.failed import failed
from gradeline.cli.grade import grade
from gradeline.cli.heads import heads
from gradeline.cli.keys import keys, tenants
from gradeline.cli.logs import logs
from gradeline.cli.report import report
from gradeline.cli.results import results
from gradeline.cli.running import scale, status
from gradeline.cli.stack import down, up
from gradeline.cli.terminal import findings, harmless
from gradeline.errors import ApiProblem, ClientError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gradeline")
def commands() -> None:
    """Grades student writing on a rubric, on as many workers as you start.

    `gradeline up` starts everything on this machine; `gradeline grade essay.txt` grades a file.
    """


for command in (up, down, status, logs, scale, backup, restore, grade, results, report, failed, heads, keys, tenants):
    commands.add_command(command)


def main() -> None:
    """Runs a command; every expected failure is one line, and one more for each thing that the API lists."""
    try:
        commands()
    except (ClientError, TimeoutError, OSError) as error:
        click.echo(f"gradeline: {harmless(str(error))}", err=True)
        for line in _more(error):
            click.echo(f"  {line}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _more(error: Exception) -> list[str]:
    """What a problem of the API lists beyond its detail."""
    if not isinstance(error, ApiProblem):
        return []
    told = error.detail.casefold()
    return findings([each for each in error.errors if each["msg"].casefold() not in told])
