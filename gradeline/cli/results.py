"""`gradeline results`: a batch's scores as a file."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from gradeline.cli.options import client_of, home_option, open_home
from gradeline.cli.terminal import harmless

FORMATS = ("csv", "xlsx", "json", "ndjson")


@click.command()
@click.argument("batch")
@click.option("--format", "format_", type=click.Choice(FORMATS), help="[the ending of FILE, or csv]")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="[standard output]"
)
@home_option
def results(batch: str, format_: str | None, output: Path | None, home: Path | None) -> None:
    """Save what has become of every text of a batch: a row a text, with scores, intervals and what to look at."""
    ending = output.suffix[1:].lower() if output else ""
    kind = format_ or (ending if ending in FORMATS else "csv")
    watched = output is None and sys.stdout.isatty()
    if watched and kind == "xlsx":
        raise click.UsageError("a spreadsheet is nothing for a terminal: -o results.xlsx saves it")
    with client_of(open_home(home)) as client:
        pieces = client.results(batch, kind)
        if watched:
            return to_terminal(pieces)
        first = next(pieces, b"")  # before a file is made: a batch that does not exist leaves none
        with output.open("wb") if output else click.open_file("-", "wb") as file:
            file.write(first)
            for piece in pieces:
                file.write(piece)
    return None


def to_terminal(pieces: Iterable[bytes]) -> None:
    """Prints lines, with nothing in them that a terminal would obey: students name files."""
    for line in b"".join(pieces).decode(errors="replace").splitlines():
        click.echo(harmless(line))
