"""Processes of a stack whose supervisor was killed: found, and ended before the next start."""

from __future__ import annotations

import contextlib
import signal

import psutil

from gradeline.stack import postgres
from gradeline.stack.home import Home
from gradeline.stack.plan import MARK

GRACE_S = 20.0


def find(home: Home) -> list[psutil.Process]:
    """What still runs of a home's stack: all that carries its mark, and the server that its cluster names."""
    found = {p.pid: p for p in psutil.process_iter() if _marked(p, home)}
    pid = postgres.server_pid(home)
    if pid is not None:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if str(home.postgres) in process.cmdline():
                found[pid] = process
    found.pop(psutil.Process().pid, None)
    return list(found.values())


def end(home: Home) -> int:
    """Ends them, the database last and never by force unless it does not end; returns how many there were."""
    left = find(home)
    _end([p for p in left if _supervises(p)], signal.SIGKILL)  # or it would start again what is ended here
    database = postgres.server_pid(home)
    first = [p for p in left if p.pid != database and not _serves_database(p)]
    _end(first, signal.SIGTERM)
    _end([p for p in find(home) if p.pid == database], signal.SIGINT)
    _end(find(home), signal.SIGKILL)
    return len(left)


def _marked(process: psutil.Process, home: Home) -> bool:
    try:
        return process.environ().get(MARK) == str(home.path)
    except (psutil.Error, OSError):
        return False


def _serves_database(process: psutil.Process) -> bool:
    try:
        return process.name() == "postgres"
    except psutil.Error:
        return False


def _supervises(process: psutil.Process) -> bool:
    try:
        return "gradeline.stack.supervisor" in process.cmdline()
    except psutil.Error:
        return False


def _end(processes: list[psutil.Process], how: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(how)
    _, alive = psutil.wait_procs(processes, timeout=GRACE_S)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=2)
