"""Signs of life in a file, for whoever looks from outside: each holds for a while and lapses unless it is given again.

A file's time of change lies as far in the future as its sign holds. Only the standard library is imported: the look, in a
process of its own (`python -m worker.health`), is taken every few seconds.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

SETTING = "GRADELINE_HEARTBEAT_FILE"


class Pulse:
    """Gives the sign of a process, or of a part of it, whose sign lies beside. Without a file it gives none."""

    def __init__(self, file: str, holds_s: float, part: str = "") -> None:
        self.file = Path(f"{file}.{part}" if part else file) if file else None
        self.holds_s = holds_s

    def beat(self) -> None:
        """OSError where the file can't be written."""
        if self.file is None:
            return
        until = time.time() + self.holds_s
        try:
            os.utime(self.file, (until, until))
        except FileNotFoundError:
            self.file.touch()
            os.utime(self.file, (until, until))

    def holds(self) -> bool:
        """Whether the sign was given a short time ago."""
        try:
            return self.file is not None and self.file.stat().st_mtime > time.time()
        except OSError:
            return False


def look() -> str | None:
    """What `sys.exit` takes: None for a process that lives, or a sentence."""
    file = os.environ.get(SETTING, "")
    if not file:
        return f"{SETTING} is not set, so there are no signs of life"
    return None if Pulse(file, 0).holds() else "no sign of life: the broker or the database is away, or it hangs"
