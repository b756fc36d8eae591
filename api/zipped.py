"""A class as a .zip of files. Its names are only shown, never used as paths; what it unpacks to is bounded."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from api.batch_rows import BadRow, Numbered
from api.errors import InvalidRequest, TooLarge
from api.files import LONGEST_NAME, TAKEN, clean_name, kind_of
from db.bulk import NewRow
from db.upload import NewFile

PIECE = 64 * 1024
END, END_64, ENTRY = b"PK\x05\x06", b"PK\x06\x07", b"PK\x01\x02"
END_BYTES, END_64_BYTES, LONGEST_COMMENT = 22, 20, 65_535
# macOS adds an entry for each file, and there are folders.
ENTRIES_A_FILE = 3
BYTES_AN_ENTRY = 1024
CLUTTER = ("__macosx", "thumbs.db", "desktop.ini")


class Zipped:
    """A .zip whose files can be read again and again. InvalidRequest when it is none, TooLarge when it has too many."""

    def __init__(self, file: BinaryIO, most_files: int, most_bytes: int, most_inflated: int) -> None:
        self._most_bytes, self._most_inflated = most_bytes, most_inflated
        _look_at_the_end(file, most_files)
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
            raise not_a_zip() from error
        self._entries = [entry for entry in self._zip.infolist() if not _is_clutter(entry)]
        if not self._entries:
            raise InvalidRequest(f"The .zip has no files. Put {TAKEN} files into it.")
        self._top = _shared_folder([entry.filename for entry in self._entries])

    def rows(self) -> Iterator[Numbered]:
        """A row for each file, counted from 1, or why it can't be taken. TooLarge when they unpack to more than may be."""
        self._inflated = 0
        for number, entry in enumerate(self._entries, 1):
            yield number, self._row(entry)

    def _row(self, entry: zipfile.ZipInfo) -> NewRow | BadRow:
        name = clean_name(entry.filename.removeprefix(self._top))
        kind = kind_of(name)
        if wrong := _wrong(entry, name, kind):
            return BadRow(wrong, name[:LONGEST_NAME])
        try:
            content = self._inflate(entry)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError):
            return BadRow("the file can't be unpacked: the .zip is broken here", name)
        if content is None:
            return BadRow(f"the file is longer than {self._most_bytes:,} bytes", name)
        if not content:
            return BadRow("the file is empty", name)
        return NewRow("", external_id=name, file=NewFile(str(kind), content))

    def _inflate(self, entry: zipfile.ZipInfo) -> bytes | None:
        """An entry's bytes; None when they are too many. What an entry says of its size is not believed."""
        content = bytearray()
        with self._zip.open(entry) as file:
            while piece := file.read(PIECE):
                self._inflated += len(piece)
                if self._inflated > self._most_inflated:
                    raise TooLarge(
                        f"The .zip unpacks to more than {self._most_inflated:,} bytes. Send it in several parts."
                    )
                content += piece
                if len(content) > self._most_bytes:
                    return None
        return bytes(content)


def not_a_zip() -> InvalidRequest:
    return InvalidRequest("The file is not a .zip that can be read.", [{"loc": ["file"], "msg": "is not a .zip"}])


def _look_at_the_end(file: BinaryIO, most_files: int) -> None:
    """Before all entries are read into memory: how many are there? The list of them says it, not the number in the end."""
    size = file.seek(0, 2)
    file.seek(max(0, size - END_64_BYTES - END_BYTES - LONGEST_COMMENT))
    tail = file.read()
    place = tail.rfind(END)
    if place < 0 or len(tail) < place + END_BYTES:
        raise not_a_zip()
    count, length = struct.unpack_from("<HI", tail, place + 10)
    entries = most_files * ENTRIES_A_FILE + 100
    # The form for huge ones would say the length elsewhere.
    huge = count == 0xFFFF or length == 0xFFFFFFFF or tail[max(0, place - END_64_BYTES) :].startswith(END_64)
    if huge or length > entries * BYTES_AN_ENTRY:
        raise _too_many(most_files)
    file.seek(max(0, size - len(tail) + place - length))
    if file.read(length).count(ENTRY) > entries:
        raise _too_many(most_files)
    file.seek(0)


def _too_many(most: int) -> TooLarge:
    return TooLarge(f"A batch has at most {most:,} files. Send the rest as another one.")


def _is_clutter(entry: zipfile.ZipInfo) -> bool:
    parts = [part for part in entry.filename.replace("\\", "/").split("/") if part]
    odd = any((part.startswith(".") and part.strip(".")) or part.lower() in CLUTTER for part in parts)
    return entry.is_dir() or not parts or odd


def _shared_folder(names: list[str]) -> str:
    """The folder that all files are in, with its slash: it says nothing of a file."""
    folder = names[0].rpartition("/")[0]
    while folder and not all(name.startswith(f"{folder}/") for name in names):
        folder = folder.rpartition("/")[0]
    return f"{folder}/" if folder else ""


def _wrong(entry: zipfile.ZipInfo, name: str, kind: str | None) -> str | None:
    """Why an entry is not taken, before it is unpacked."""
    parts = entry.filename.replace("\\", "/").split("/")
    if ".." in parts or not parts[0] or parts[0].endswith(":"):
        return "the file's name leads out of the .zip"
    if not name or len(name) > LONGEST_NAME:
        return f"the file's name must have 1 to {LONGEST_NAME} characters"
    if kind is None:
        return f"only {TAKEN} files can be read"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "the file is packed in a way that is not read; make the .zip with the usual one (deflate)"
    return "the file is encrypted: send it without a password" if entry.flag_bits & 1 else None
