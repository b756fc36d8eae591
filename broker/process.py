"""What a process asks of the operating system."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
M_ARENA_MAX = -8


def give_way(nice: int) -> None:
    """Lets everything else on the machine go first: computing takes what is left, so that an API or a database beside it
    answers at once while it is busy."""
    if nice and sys.platform == "linux":
        os.nice(nice)
        # Where the scheduler shares out time between sessions first, niceness counts only within one.
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(nice))


def die_with_parent(parent: int) -> None:
    """Asks Linux to end this process when the one that forked it is gone, however that ended: a worker's child whose work
    nobody would acknowledge, or an API process that would hold the port. `parent` is that one's pid."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it was gone before we asked
            os._exit(1)


def share_arenas(count: int) -> bool:
    """Lets the threads of this process and of its children take memory from so many arenas of glibc, before they start.

    Unasked, there may be eight for each core, and what one has freed none of the others uses: a process of many threads
    grows for a long time. False where the C library has no such thing.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return bool(set_option and set_option(M_ARENA_MAX, count))
