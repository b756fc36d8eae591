"""Heads that people have fitted on their own essays: in a home's `heads`, a folder an encoder, and in it one a version.

A version is never changed. The newest one is used.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from worker.engine.source import key_of
from worker.errors import ModelUnavailable
from worker.head.ridge import Head
from worker.head.store import read_head

OWN = "own"


def folder_of(home: Path, model: str, revision: str) -> Path:
    """Where the versions of an encoder's own heads are."""
    return home / "heads" / key_of(model, revision)


def versions(folder: Path) -> list[int]:
    """The versions that are there, oldest first."""
    try:
        return sorted(int(each.name) for each in folder.iterdir() if each.name.isdecimal())
    except OSError:
        return []


def newest(home: Path, model: str, revision: str) -> Path | None:
    """The folder of the newest own head of an encoder; None when nobody has fitted one."""
    folder = folder_of(home, model, revision)
    found = versions(folder)
    return folder / str(found[-1]) if found else None


def read_own(folder: Path, model: str, revision: str) -> Head:
    """An own head. ModelUnavailable when it is not what its card says, or is another encoder's."""
    head = read_head(folder, OWN)
    if (head.model, head.revision, str(head.version)) != (model, revision, folder.name):
        raise ModelUnavailable(f"the head {OWN}@{folder.name} is not this encoder's: fit it again")
    return head


def add_version(home: Path, model: str, revision: str, write: Callable[[Path, int], None]) -> int:
    """Makes the next version with the files that `write` puts into a folder; returns its number."""
    folder = folder_of(home, model, revision)
    folder.mkdir(parents=True, exist_ok=True)
    version = max([*versions(folder), 0]) + 1
    aside = Path(tempfile.mkdtemp(dir=folder, prefix=".new-"))
    try:
        write(aside, version)
        aside.chmod(0o755)
        aside.rename(folder / str(version))  # whole or not at all; a version that came first is not overwritten
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return version
