"""`python -m worker.documents MEMORY_MB PAGES PARENT`: reads files, one after the other, until its input ends.

In: a line of JSON, `{"kind", "size"}`, then so many bytes. Out: a line of JSON, `{"text"}`, or `{"error"}` with a sentence,
and `"last"` when it ends.
It is a process of its own because a file may be made to take all memory or for ever: whoever started it ends it then.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import BinaryIO

from broker.process import die_with_parent
from worker.documents import Limits, Unreadable, text_of

TOO_COSTLY = "Reading the file takes more memory than it may. Hand in its text, or a simpler file."
UNKNOWN = "The file can't be read. Save it again, or hand in its text."


def main() -> None:
    memory_mb, pages, parent = map(int, sys.argv[1:])
    die_with_parent(parent)
    _limit(memory_mb)
    logging.disable()  # the libraries' warnings may quote a file
    # Whatever a library prints must not get between the answers.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    serve(sys.stdin.buffer, out, Limits(pages=pages))


def serve(files: BinaryIO, out: BinaryIO, limits: Limits) -> None:
    """Answers until `files` ends. After an error of memory it stops: nobody knows what is left."""
    while line := files.readline():
        head = json.loads(line)
        answer = _answer(head["kind"], files.read(head["size"]), limits)
        out.write(json.dumps(answer).encode() + b"\n")
        out.flush()
        if "last" in answer:
            return


def _answer(kind: str, content: bytes, limits: Limits) -> dict[str, str | bool]:
    try:
        return {"text": text_of(kind, content, limits)}
    except Unreadable as error:
        return {"error": str(error)}
    except (MemoryError, RecursionError):
        return {"error": TOO_COSTLY, "last": True}
    except Exception:  # noqa: BLE001 - a file that a library stumbles over is this file's fault, and costs no other
        return {"error": UNKNOWN}


def _limit(memory_mb: int) -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb * 2**20, memory_mb * 2**20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
