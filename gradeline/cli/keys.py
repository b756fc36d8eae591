"""`gradeline keys` and `gradeline tenants`: who may use the API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from gradeline.cli.options import home_option, open_home
from gradeline.cli.terminal import harmless, shown, terminal
from gradeline.errors import StackError

SCOPES = ("submit", "read", "review", "admin")
ANSWER_S = 30
json_option = click.option("--json", "as_json", is_flag=True, help="print JSON")


@click.group()
def keys() -> None:
    """Make, list and revoke keys of the API.

    Of the stack in the home while it runs, or else of the database at DATABASE_URL.
    """


@click.group()
def tenants() -> None:
    """Make and list tenants: schools that share a server and see nothing of each other."""


@keys.command("create")
@click.argument("name")
@click.option("--tenant", default="default", show_default=True, help="whose key it is")
@click.option("--scope", multiple=True, type=click.Choice(SCOPES), help="what it may do; several times [submit, read]")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="for how long it works [until it is revoked]")
@json_option
@home_option
def create_key(
    name: str, tenant: str, scope: tuple[str, ...], days: float | None, as_json: bool, home: Path | None
) -> None:
    """Make a key called NAME. It is printed this once: only its hash is kept."""
    scopes = [f"--scope={each}" for each in scope or ("submit", "read")]
    until = [f"--days={days}"] if days else []
    made = _ask(home, "create", f"--tenant={tenant}", *scopes, *until, "--", name)
    click.echo(json.dumps(made, indent=1) if as_json else made["key"])


@keys.command("list")
@click.option("--tenant", help="only keys of this tenant")
@json_option
@home_option
def list_keys(tenant: str | None, as_json: bool, home: Path | None) -> None:
    """List keys, newest first: what each may do, and when it was last used (to the minute)."""
    found = _ask(home, "list", *([f"--tenant={tenant}"] if tenant else []))
    columns = ("prefix", "tenant", "name", "scopes", "last_used_at", "expires_at", "revoked_at")
    _show(found, columns, as_json)


@keys.command("revoke")
@click.argument("key")
@home_option
def revoke_key(key: str, home: Path | None) -> None:
    """End a key, named by its prefix (the part between gl_ and the next _) or its id."""
    made = _ask(home, "revoke", "--", key)
    whose = harmless(f"'{made['name']}' of {made['tenant']}")
    click.echo(f"revoked {whose}; it stops working within seconds")


@tenants.command("create")
@click.argument("name")
@json_option
@home_option
def create_tenant(name: str, as_json: bool, home: Path | None) -> None:
    """Make a tenant called NAME; `gradeline keys create --tenant NAME` makes its first key."""
    made = _ask(home, "create-tenant", "--", name)
    click.echo(json.dumps(made, indent=1) if as_json else f"made tenant '{harmless(made['name'])}'")


@tenants.command("list")
@json_option
@home_option
def list_tenants(as_json: bool, home: Path | None) -> None:
    """List tenants, each with the number of its keys that work."""
    _show(_ask(home, "list-tenants"), ("name", "keys", "created_at", "id"), as_json)


def _ask(home: Path | None, *arguments: str) -> Any:
    """What `python -m db.keys` answers. StackError with its words when it can't."""
    from gradeline.stack.control import is_running
    from gradeline.stack.home import Ports
    from gradeline.stack.plan import environment
    from gradeline.stack.words import gist

    at = open_home(home)
    if is_running(at):
        settings = environment(at, Ports(**at.read()["ports"]))
    elif "DATABASE_URL" in os.environ:
        settings = dict(os.environ)
        if "://" not in settings["DATABASE_URL"]:
            raise StackError("DATABASE_URL is no address of a database, such as postgresql://user@host/gradeline")
    else:
        raise StackError(f"no stack is running in {at.path}: `gradeline up` starts one; or set DATABASE_URL")
    command = [sys.executable, "-m", "db.keys", *arguments]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=ANSWER_S, check=False)
    if done.returncode:
        raise StackError(gist((done.stderr.strip().splitlines() or ["it could not be done"])[-1])[:500])
    return json.loads(done.stdout)


def _show(rows: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        return click.echo(json.dumps(rows, indent=1))
    table = Table(header_style="bold")
    for column in columns:
        # A key is revoked by its prefix: that stays in one piece.
        table.add_column(column.replace("_", " "), no_wrap=column == "prefix", overflow="fold")
    for row in rows:
        table.add_row(*(shown(_word(column, row[column])) for column in columns))
    terminal().print(table)
    return None


def _word(column: str, value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value)
    if value and column.endswith("_at"):
        return str(value)[:16].replace("T", " ")
    return "-" if value is None else str(value)
