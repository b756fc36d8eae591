"""Options that several commands share, and how they are read."""

from __future__ import annotations

import os
from pathlib import Path

import click

from gradeline.client import Client
from gradeline.stack.home import Home, open_home

home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="folder of the stack [$GRADELINE_HOME or ./.gradeline]",
)


def client_of(home: Home) -> Client:
    """The API at GRADELINE_URL with GRADELINE_API_KEY, or else the stack of the home."""
    url, key = os.environ.get("GRADELINE_URL"), os.environ.get("GRADELINE_API_KEY")
    if url:
        return Client(url, key or "")
    from gradeline.stack.launch import client_of as of_stack

    return of_stack(home)


__all__ = ["client_of", "home_option", "open_home"]
