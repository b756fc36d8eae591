"""Options that several commands share, and how they are read."""

from __future__ import annotations

import os
from pathlib import Path

import click

from gradeline.client import Client
from gradeline.errors import ClientError
from gradeline.stack.home import Home, open_home

home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="folder of the stack [$GRADELINE_HOME or ./.gradeline]",
)


def client_of(home: Home) -> Client:
    """The API at GRADELINE_URL with GRADELINE_API_KEY, or else the stack of the home. ClientError for what is neither."""
    url, key = (os.environ.get(name, "").strip() for name in ("GRADELINE_URL", "GRADELINE_API_KEY"))
    if url:
        if not url.startswith(("http://", "https://")):
            raise ClientError(f"GRADELINE_URL is '{url}': it begins with http:// or https://")
        if not (key.isascii() and key.isprintable()):
            raise ClientError("GRADELINE_API_KEY is no key: one is a word of letters, digits and _, such as gl_...")
        return Client(url, key)
    from gradeline.stack.launch import client_of as of_stack

    return of_stack(home)


__all__ = ["client_of", "home_option", "open_home"]
