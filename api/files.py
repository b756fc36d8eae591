"""Files that come with a request: which kinds are taken, and how long they may be. Nobody reads their texts here."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from typing import BinaryIO

from flask import request
from werkzeug.datastructures import FileStorage

from api.errors import InvalidRequest
from api.idempotency import digest_of_kind
from api.spool import hash_file
from db.upload import KINDS

# What a file whose name ends in no such kind may say that it is.
TYPES = {
    "text/plain": "txt",
    "text/markdown": "md",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/pdf": "pdf",
}
TAKEN = ", ".join(f".{kind}" for kind in KINDS)
LONGEST_NAME = 255
# Unicode counts them among what controls: they make one emoji of several, and words of Persian and of languages of India.
JOINERS = "\u200c\u200d"


def the_file() -> FileStorage:
    """The one file of a form, whatever its field is named; InvalidRequest when there is none, or another one."""
    files = [file for _, file in request.files.items(multi=True)]
    if len(files) != 1:
        raise InvalidRequest("Send one file, in the field 'file'.", [{"loc": ["file"], "msg": "one file, in 'file'"}])
    return files[0]


def form_fingerprint() -> bytes:
    """The fingerprint of a form: its fields, and the names and contents of its files."""
    digest = digest_of_kind()
    digest.update(json.dumps(sorted(request.form.items(multi=True))).encode())
    for field, file in request.files.items(multi=True):
        digest.update(json.dumps([field, file.filename]).encode())
        of_file = hashlib.sha256()
        hash_file(file.stream, of_file)  # type: ignore[arg-type]  # werkzeug says IO[bytes]
        digest.update(of_file.digest())
    return digest.digest()


def kind_of(name: str, content_type: str = "") -> str | None:
    """The kind that a file's name says it is, or else its type; None for one that is not taken.

    What it really is, its reader sees.
    """
    kind = name.rpartition(".")[2].lower() if "." in name else ""
    return kind if kind in KINDS else TYPES.get(content_type)


def clean_name(name: str) -> str:
    """A file's name as an external id: as it is, without what no database and no screen can hold."""
    whole = name.encode("utf-8", "replace").decode()
    return "".join(c for c in whole if c in JOINERS or unicodedata.category(c)[0] != "C").strip()


def read_at_most(file: BinaryIO, most: int) -> bytes | None:
    """A file's bytes; None when there are more than `most`."""
    content = file.read(most + 1)
    return content if len(content) <= most else None
