"""What a child asks of the operating system."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1


def give_way(nice: int) -> None:
    """Lets everything else on the machine go first: computing takes what is left, so that an API or a database beside it
    answers at once while it is busy."""
    if nice and sys.platform == "linux":
        os.nice(nice)
        # Where the scheduler shares out time between sessions first, niceness counts only within one.
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(nice))


def die_with_parent() -> None:
    """Asks Linux to end this child when its parent is gone, however that ended: nobody would acknowledge its work."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:  # it was gone before we asked
            os._exit(1)
