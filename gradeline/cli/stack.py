"""`gradeline up` and `gradeline down`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from gradeline.cli.bar import grade_with_bar
from gradeline.cli.options import home_option, open_home
from gradeline.cli.table import table_of
from gradeline.cli.terminal import terminal
from gradeline.errors import StackError
from gradeline.stack.home import Home

WATCH_S = 1.0


@click.command()
@click.option("--detach", is_flag=True, help="return when the stack is ready, and leave it running")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(0, 64), help="CPU workers")
@click.option(
    "--port", default=5001, show_default=True, type=click.IntRange(1, 65535), envvar=["GRADELINE_PORT", "PORT"],
    help="port of the API",
)  # fmt: skip
@click.option("--flower-port", default=5555, show_default=True, type=click.IntRange(1, 65535), help="port of Flower")
@click.option("--no-flower", is_flag=True, help="do without Flower")
@click.option("--samples", is_flag=True, help="grade the sample essays when it is ready")
@home_option
def up(
    detach: bool, workers: int, port: int, flower_port: int, no_flower: bool, samples: bool, home: Path | None
) -> None:
    """Start everything on this machine: PostgreSQL, Valkey, the API, workers and Flower."""
    from gradeline.stack import launch
    from gradeline.stack.control import is_running

    at, console = open_home(home), terminal()
    if is_running(at):
        console.print(f"a stack is already running in {at.path}; `gradeline down` stops it")
        return tell_addresses(at, console)
    signal.signal(signal.SIGTERM, _interrupt)
    wanted = launch.Wanted(workers, port, None if no_flower else flower_port, detach)
    began = time.monotonic()
    with console.status("starting") as status:
        supervisor = launch.up(at, wanted, lambda step: status.update(step))
    console.print(f"ready in {time.monotonic() - began:.1f} s")
    try:
        if samples:
            grade_samples(at, console)
        tell_addresses(at, console)
        if not detach:
            console.print("Ctrl-C stops everything.")
            watch(at, supervisor, console)
    except KeyboardInterrupt:
        pass
    finally:
        if not detach:
            _stop(at, console)
    return None


@click.command()
@home_option
def down(home: Path | None) -> None:
    """Stop the stack: workers finish what they have in hand, nothing is lost."""
    from gradeline.stack import launch

    at = open_home(home)
    with terminal().status("stopping"):
        was = launch.down(at)
    click.echo("stopped" if was else f"no stack was running in {at.path}")


def grade_samples(home: Home, console: Console) -> None:
    """Grades the sample essays and prints their table."""
    from gradeline.stack import launch

    folder = launch.samples_folder()
    listed: list[dict[str, Any]] = json.loads((folder / "samples.json").read_text())
    texts = [{"text": (folder / each["file"]).read_text(), "prompt": each["prompt"]} for each in listed]
    with launch.client_of(home) as client:
        jobs = grade_with_bar(client, [partial(client.submit, **text) for text in texts], console)
    console.print(table_of([each["title"] for each in listed], jobs, console.width))


def tell_addresses(home: Home, console: Console) -> None:
    """Where the stack is, and with which keys."""
    from gradeline.stack.launch import addresses

    found = addresses(home)
    console.print(f"API     {found['api']}   (docs: {found['docs']}; key: {found['key']})", soft_wrap=True)
    if found["flower"]:
        file = home.path / "flower-password"
        console.print(f"Flower  {found['flower']}   (user gradeline, password in {file})", soft_wrap=True)


def watch(home: Home, supervisor: subprocess.Popen[bytes], console: Console) -> None:
    """Stays until the stack ends, and says when a process of it died and was restarted."""
    from gradeline.stack.launch import last_words, processes

    before = processes(home)
    while supervisor.poll() is None:
        time.sleep(WATCH_S)
        try:
            now = processes(home)
        except StackError:
            continue
        for name, pids in now.items():
            for pid in set(before.get(name, [])) - set(pids):
                if len(pids) >= len(before.get(name, [])):
                    console.print(f"{name} (process {pid}) died and was restarted; `gradeline logs {name}` tells more")
        before = now
    raise StackError(f"the supervisor ended: {last_words(home, 'supervisor')}")


def _stop(home: Home, console: Console) -> None:
    from gradeline.stack import launch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
    with console.status("stopping"):
        launch.down(home)
    console.print("stopped; the data stays in " + str(home.path), soft_wrap=True)


def _interrupt(*_: Any) -> None:
    if sys.is_finalizing():
        return
    raise KeyboardInterrupt
