"""`gradeline logs`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import click

from gradeline.cli.options import home_option, open_home
from gradeline.cli.terminal import harmless
from gradeline.errors import ClientError
from gradeline.stack.home import Home
from gradeline.stack.words import plain

FOLLOW_S = 0.3


@click.command()
@click.argument("names", nargs=-1)
@click.option("-f", "--follow", is_flag=True, help="go on as lines are written")
@click.option(
    "-n", "--lines", default=50, show_default=True, type=click.IntRange(min=0), help="lines of each log to begin with"
)
@click.option("--json", "as_json", is_flag=True, help="lines as they were written, without the names before them")
@home_option
def logs(names: tuple[str, ...], follow: bool, lines: int, as_json: bool, home: Path | None) -> None:
    """Show the logs of all processes, or of those named."""
    with ExitStack() as stack:
        found = _logs(open_home(home), names)
        opened = {file.stem: stack.enter_context(file.open(errors="replace")) for file in found}
        for name, file in opened.items():
            written = file.readlines()
            for line in written[max(0, len(written) - lines) :]:
                _show(name, line, as_json)
        while follow:
            if not _pass_on(opened, as_json):
                time.sleep(FOLLOW_S)


def _logs(home: Home, names: Sequence[str]) -> list[Path]:
    """The logs with these names, or all. ClientError tells which there are."""
    files = {file.stem: file for file in sorted(home.logs.glob("*.log"))}
    if not files:
        raise ClientError(f"no stack has been started in {home.path} yet: `gradeline up` starts one")
    if unknown := [name for name in names if name not in files]:
        raise ClientError(f"there is no log of {', '.join(unknown)} in {home.logs}; there are {', '.join(files)}")
    return [files[name] for name in dict.fromkeys(names or files)]


def _pass_on(opened: Mapping[str, TextIO], as_json: bool) -> bool:
    any_line = False
    for name, file in opened.items():
        for line in file.readlines():
            any_line = True
            _show(name, line, as_json)
    return any_line


def _show(name: str, line: str, as_json: bool) -> None:
    if as_json:
        return click.echo(line.rstrip())
    for each in plain(line).splitlines() or [""]:
        click.echo(f"{name:>10} | {harmless(each)}")
    return None
