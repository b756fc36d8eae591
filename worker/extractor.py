"""The process that reads files for a child: started with the first one, ended when a file is too much for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import Any

from worker.errors import Unscorable, WorkerError
from worker.settings import WorkerSettings

TOO_SLOW = "Reading the file takes longer than {seconds:g} s. Hand in its text, or a simpler file."
GONE = "Reading the file takes more than it may, or ends its reader. Hand in its text, or a simpler file."
# It needs no addresses, no keys.
ENVIRONMENT = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "SYSTEMROOT", "VIRTUAL_ENV")


class ReaderLost(WorkerError):
    """Raised when the process that reads files can't be started."""


class Extractor:
    """Turns files into texts. Used by one thread."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def text(self, kind: str, content: bytes) -> str:
        """A file's text; Unscorable with a sentence for its student. A reader that fails is replaced for the next file."""
        process, late = self._reader(), threading.Event()
        timer = threading.Timer(self.settings.file_seconds, _end, (process, late))
        timer.start()
        try:
            answer = _ask(process, kind, content)
        except OSError:
            answer = None
        except BaseException:
            self.stop()  # a question without its answer would be answered to the next one
            raise
        finally:
            timer.cancel()
        if answer is None:
            self.stop()
            raise Unscorable(TOO_SLOW.format(seconds=self.settings.file_seconds) if late.is_set() else GONE)
        if "last" in answer:
            self.stop()
        if "text" not in answer:
            raise Unscorable(str(answer["error"]))
        return str(answer["text"])

    def stop(self) -> None:
        """Ends the process; the next file starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _reader(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.stop()
        limits = [str(each) for each in (self.settings.file_memory_mb, self.settings.file_pages, os.getpid())]
        environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "worker.documents", *limits], env=environment,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except OSError as error:
            raise ReaderLost("the process that reads files can't be started") from error
        return self._process


def _end(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def _ask(process: subprocess.Popen[bytes], kind: str, content: bytes) -> dict[str, Any] | None:
    """The reader's answer; None when it ended instead."""
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    assert process.stdout is not None  # noqa: S101 - so is this
    process.stdin.write(json.dumps({"kind": kind, "size": len(content)}).encode() + b"\n" + content)
    process.stdin.flush()
    line = process.stdout.readline()
    return json.loads(line) if line.endswith(b"\n") else None
