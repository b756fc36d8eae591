"""Counters that the processes of one server keep together: each in a file of its own, which whoever is asked adds up.

It is prometheus_client's multiprocess mode with names of ours in the place of pids: a process that takes the place of one that
died goes on in its file. So a count never falls, and there are never more files than places.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, values
from prometheus_client.multiprocess import MultiProcessCollector

START, LOCK = "gradeline-metrics-", "lock"
# prometheus_client reads the folder's name here.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# A folder this young may not have its lock yet.
YOUNG_S = 60.0


class Place:
    """The name under which a process counts: asked for once a process, so also after a fork."""

    def __init__(self, name: Callable[[], str]) -> None:
        self._name, self._pid, self._known = name, 0, ""

    def __call__(self) -> str:
        if self._pid != os.getpid():
            self._pid, self._known = os.getpid(), self._name()
        return self._known


def share(name: Callable[[], str]) -> Path:
    """From now on, counters that are made are shared with the processes that this one forks; returns their folder.

    `name` gives the place of the process that asks: no two that live at once may have the same. The folder goes with this
    process, or with the next server that starts here.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{START}*"):
        _remove_dead(left)
    folder, owner = Path(tempfile.mkdtemp(prefix=START)), os.getpid()
    fcntl.flock(
        os.open(folder / LOCK, os.O_CREAT | os.O_WRONLY, 0o600), fcntl.LOCK_EX
    )  # for as long as a process lives
    os.environ[FOLDER] = str(folder)
    values.ValueClass = values.MultiProcessValue(Place(name))  # type: ignore[no-untyped-call]
    atexit.register(_leave, folder, owner)
    return folder


def everybody(own: CollectorRegistry) -> CollectorRegistry:
    """A registry that speaks for all processes that count together, or `own` where they don't."""
    if not os.environ.get(FOLDER):
        return own
    whole = CollectorRegistry()
    MultiProcessCollector(whole)  # type: ignore[no-untyped-call]
    return whole


def _leave(folder: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_dead(folder: Path) -> None:
    """Removes what a server has left that was killed. What belongs to somebody else, or is in use, stays."""
    try:
        if time.time() - folder.stat().st_mtime < YOUNG_S or folder.stat().st_uid != os.getuid():
            return
        lock = os.open(folder / LOCK, os.O_CREAT | os.O_WRONLY, 0o600)  # whoever died before making it has left it, too
    except OSError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        pass
    finally:
        os.close(lock)
