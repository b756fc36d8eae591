"""The processes of a stack, as the process manager is told of them."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

from gradeline.stack import postgres, valkey
from gradeline.stack.home import Home, Ports

# In the environment of every process of a stack, and of no other: leftovers are found by it.
MARK = "GRADELINE_STACK"
SERVERS = ("postgres", "valkey")
# A process writes its log itself. When circus reads what its processes say, one that dies leaves a descriptor behind; the next
# one that gets the same number ("fd added twice") ends all restarting, and whoever still writes waits for ever.
LOGGED = ("/bin/sh", "-c", 'exec "$@" >>"$0" 2>&1')


def watchers(home: Home, ports: Ports, workers: int, flower: bool) -> list[dict[str, Any]]:
    """Servers start at once; the others when the launcher has seen the servers answer."""
    python = sys.executable
    settings = environment(home, ports)
    made = [
        watcher(home, "postgres", postgres.command(home, ports.postgres), settings, stop_signal="INT", autostart=True),
        watcher(home, "valkey", valkey.command(home, ports.valkey), settings, autostart=True),
        watcher(home, "api", [python, "-m", "api"], settings),
        watcher(home, "hooks", [python, "-m", "api.hooks"], settings),
        watcher(
            home, "worker-cpu", [python, "-m", "worker", "--name", "cpu-$(circus.wid)"], settings, numprocesses=workers
        ),
    ]
    if flower:
        arguments = ["-A", "broker.app", "flower", "--address=127.0.0.1", f"--port={ports.flower}"]
        made.append(watcher(home, "flower", [python, "-m", "celery", *arguments], settings))
    return made


def watcher(
    home: Home, name: str, command: list[str], settings: dict[str, str], stop_signal: str = "TERM",
    numprocesses: int = 1, autostart: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """One entry of the process manager."""
    import signal

    return {
        "name": name,
        "cmd": shlex.join([*LOGGED, str(home.logs / f"{name}.log"), *command]).replace(
            "'cpu-$(circus.wid)'", "cpu-$(circus.wid)"
        ),
        "numprocesses": numprocesses,
        "env": settings,
        "copy_env": False,
        "stop_signal": signal.Signals[f"SIG{stop_signal}"],
        "graceful_timeout": 25,
        "autostart": autostart,
        "max_retry": -1,  # for ever: a stack that gave up on its database would be of no use
        "close_child_stdin": True,
        "working_dir": str(Path.cwd()) if os.access(Path.cwd(), os.R_OK) else "/",
    }


def environment(home: Home, ports: Ports) -> dict[str, str]:
    """Our own environment, with the addresses of this stack."""
    own = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    return {
        **own,
        MARK: str(home.path),
        "TMPDIR": str(home.runtime),
        "GRADELINE_HOME": str(home.path),
        "GRADELINE_HOST": "127.0.0.1",
        "GRADELINE_PORT": str(ports.api),
        "DATABASE_URL": postgres.url(home, ports.postgres),
        "REDIS_URL": valkey.url(home, ports.valkey),
        "FLOWER_BASIC_AUTH": f"gradeline:{home.secret('flower')}",
        "PYTHONUNBUFFERED": "1",
        "C_FORCE_ROOT": "1",  # Celery's warning is about pickle, which we do not accept
    }
