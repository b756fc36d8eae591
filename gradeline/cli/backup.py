"""`gradeline backup` and `gradeline restore`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from gradeline.cli.options import home_option, open_home
from gradeline.cli.terminal import terminal

file_argument = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.command()
@file_argument
@home_option
def backup(file: Path, home: Path | None) -> None:
    """Write the database to FILE, while the stack runs or not.

    It holds texts, scores, rubrics and keys' hashes. Own heads lie in the home's folder `heads`: copy that too.
    """
    from gradeline.stack import backup as stack

    began = time.monotonic()
    with terminal().status("starting") as status:
        held = stack.backup(open_home(home), file.resolve(), lambda step: status.update(step))
    click.echo(f"{file}: {held}, written in {time.monotonic() - began:.1f} s")


@click.command()
@file_argument
@click.option("--yes", is_flag=True, help="do not ask")
@home_option
def restore(file: Path, yes: bool, home: Path | None) -> None:
    """Put the database of FILE in the place of the one in the home. The stack must be down.

    What was graded, erased or reviewed since that backup is as it was then.
    """
    from gradeline.stack import backup as stack

    at = open_home(home)
    if not yes and at.postgres.exists():
        click.confirm(f"Replace the database in {at.path}?", abort=True)
    began = time.monotonic()
    with terminal().status("starting") as status:
        held = stack.restore(at, file.resolve(), lambda step: status.update(step))
    click.echo(f"restored {held}, in {time.monotonic() - began:.1f} s; `gradeline up` serves it")
