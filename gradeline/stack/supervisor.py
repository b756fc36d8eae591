"""`python -m gradeline.stack.supervisor`: the process that starts and restarts all others of a stack (circus)."""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import sys
import threading
import time
from pathlib import Path

from circus import get_arbiter

from gradeline.stack.home import Home, Ports
from gradeline.stack.plan import watchers

LOOK_S = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m gradeline.stack.supervisor", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--with-parent", action="store_true", help="stop everything when the launcher is gone")
    arguments = parser.parse_args()
    home = Home(arguments.home)
    lock = home.lock_file.open("w")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held for as long as this process lives
    if arguments.with_parent:
        threading.Thread(target=stop_with, args=(os.getppid(),), daemon=True).start()
    state = home.read()
    plan = watchers(home, Ports(**state["ports"]), state["workers"], state["flower"])
    arbiter = get_arbiter(
        plan, controller=home.endpoint, pubsub_endpoint=f"ipc://{home.runtime}/events.sock", loglevel="INFO",
        logoutput=str(home.logs / "supervisor.log"), warmup_delay=0, check_delay=0.5,
    )  # fmt: skip
    try:
        arbiter.start()
    finally:
        arbiter.stop()
        home.leave()
    sys.exit(0)


def stop_with(parent: int) -> None:
    """Ends this process, and so the stack, when its parent has gone in whatever way."""
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
