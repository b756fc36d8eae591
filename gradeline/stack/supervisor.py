"""`python -m gradeline.stack.supervisor`: the process that starts and restarts all others of a stack (circus)."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

from circus import get_arbiter

from gradeline.stack.home import Home, Ports
from gradeline.stack.plan import watchers

LOOK_S = 0.5
LOG_BYTES, LOG_FILES, LOGS_S = 10_000_000, 3, 30.0


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
    threading.Thread(target=keep_logs_short, args=(home.logs,), daemon=True).start()
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


def keep_logs_short(folder: Path) -> None:
    """Looks after logs until this process ends."""
    while True:
        for log in folder.glob("*.log"):
            with contextlib.suppress(OSError):
                shorten(log)
        time.sleep(LOGS_S)


def shorten(log: Path) -> None:
    """A log that has become long begins anew; what was in it is kept beside it, under .1, .2 and .3.

    Its writers hold it open and append, so it is copied and emptied, not renamed.
    """
    if log.stat().st_size <= LOG_BYTES:
        return
    for number in range(LOG_FILES, 1, -1):
        older = log.with_name(f"{log.name}.{number - 1}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))
    shutil.copyfile(log, log.with_name(f"{log.name}.1"))
    os.truncate(log, 0)


if __name__ == "__main__":
    main()
