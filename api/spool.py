"""Bodies that are too long for memory: kept in a temporary file, and hashed on their way there."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from flask import request

PIECE = 64 * 1024
# Shorter bodies stay in memory.
IN_MEMORY = 2**20


@contextmanager
def spooled(digest: hashlib._Hash | None = None) -> Iterator[BinaryIO]:
    """The request's body as a file that can be read again from the start; its bytes are added to a `digest`.

    A body that is longer than `request.max_content_length` is answered with 413, whether it says so or not.
    """
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
        while piece := request.stream.read(PIECE):
            if digest is not None:
                digest.update(piece)
            file.write(piece)
        file.seek(0)
        yield file  # type: ignore[misc]  # it is one since Python 3.11


def hash_file(file: BinaryIO, digest: hashlib._Hash) -> int:
    """Adds a file's bytes to a digest; returns how many there are. The file is at its start again afterwards."""
    size = 0
    file.seek(0)
    while piece := file.read(PIECE):
        digest.update(piece)
        size += len(piece)
    file.seek(0)
    return size
