"""`gradeline status` and `scale`: a running stack."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from gradeline.cli.options import home_option, open_home
from gradeline.cli.terminal import shown, terminal
from gradeline.errors import ClientError
from gradeline.stack.home import Home


@click.command()
@click.option("--json", "as_json", is_flag=True, help="print it as JSON")
@home_option
def status(as_json: bool, home: Path | None) -> None:
    """Show what runs, with what memory, and what waits."""
    at = open_home(home)
    found = look(at)
    if as_json:
        click.echo(json.dumps(found, indent=1, default=str))
    elif not found["running"]:
        click.echo(f"no stack is running in {at.path}; `gradeline up` starts one")
    else:
        show(found, terminal())
    if not found["running"]:
        sys.exit(3)


def look(home: Home) -> dict[str, Any]:
    """Processes, workers and queues of a stack."""
    import psutil

    from gradeline.stack.launch import addresses, client_of, processes

    running = processes(home)
    rows = []
    for name, pids in running.items():
        for pid in pids:
            try:
                process = psutil.Process(pid)
                family = [process, *process.children(recursive=True)]
                memory = sum(p.memory_info().rss for p in family)
                rows.append(
                    {"name": name, "pid": pid, "up_s": round(time.time() - process.create_time()), "rss_bytes": memory}
                )
            except psutil.NoSuchProcess:
                rows.append({"name": name, "pid": pid, "up_s": None, "rss_bytes": None})
    found: dict[str, Any] = {"running": bool(running), "processes": rows, "workers": [], "queues": [], "problem": None}
    if running:
        found["addresses"] = addresses(home)
        try:
            with client_of(home) as client:
                found["workers"], found["queues"] = client.workers(), client.queues()
        except ClientError as error:
            found["problem"] = str(error)
    return found


def show(found: dict[str, Any], console: Console) -> None:
    table = Table("process", "pid", "up", "memory", header_style="bold")
    for row in found["processes"]:
        up = "gone, restarting" if row["up_s"] is None else f"{row['up_s']} s"
        table.add_row(row["name"], str(row["pid"]), up, f"{(row['rss_bytes'] or 0) / 2**20:.0f} MB")
    console.print(table)
    for worker in found["workers"]:
        does = f"{worker['model']} on {worker['engine']}, {len(worker['children'])} child(ren)"
        console.print(shown(f"worker {worker['name']}: {does}"))
    for queue in found["queues"]:
        if queue["waiting"] or queue["running"] or queue["held"]:
            held = f", {queue['held']} held for a baseline" if queue["held"] else ""
            counts = f"{queue['waiting']} waiting, {queue['running']} running{held}"
            console.print(shown(f"queue {queue['queue']}: {counts}"))
    if found["problem"]:
        console.print(shown(found["problem"], "red"))
    for name, address in found["addresses"].items():
        if address:
            console.print(shown(f"{name}: {address}"), soft_wrap=True)


@click.command()
@click.argument("count", metavar="worker-cpu=N")
@home_option
def scale(count: str, home: Path | None) -> None:
    """Change how many CPU workers the running stack has."""
    from gradeline.stack import launch

    name, _, number = count.partition("=")
    if name != "worker-cpu" or not number.isdecimal() or not 0 <= int(number) <= 64:
        raise click.BadParameter("say worker-cpu=N with N from 0 to 64")
    launch.scale(open_home(home), int(number))
    click.echo(f"{number} CPU worker{'' if number == '1' else 's'} ready")
