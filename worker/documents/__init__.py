"""The text of a file: .txt, .md, .docx, .pdf. It runs in a process of its own (`worker/documents/__main__.py`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from db.errors import GradelineError

MOST_CHARACTERS = 200_000  # as of a text that is handed in (api/fields.py)


class Unreadable(GradelineError):
    """Raised when a file has no text that can be read; says what is wrong and what to do, and quotes nothing."""


@dataclass(frozen=True)
class Limits:
    """What one file may cost."""

    pages: int = 300
    unpacked_bytes: int = 100 * 2**20


def text_of(kind: str, content: bytes, limits: Limits) -> str:
    """The text of a file of a kind (`db.upload.KINDS`): 1 to 200,000 characters. Unreadable."""
    text = _tidy(_reader(kind)(content, limits))
    if not text:
        raise Unreadable("The file has no text. Check that it is the right one, and hand it in again.")
    if len(text) > MOST_CHARACTERS:
        raise Unreadable(f"The text is longer than {MOST_CHARACTERS:,} characters. Hand in a shorter one.")
    return text


def _reader(kind: str) -> Callable[[bytes, Limits], str]:
    # Each library is loaded when its first file comes.
    if kind == "docx":
        from worker.documents.docx import read as read_docx

        return read_docx
    if kind == "pdf":
        from worker.documents.pdf import read as read_pdf

        return read_pdf
    from worker.documents.plain import read

    return read


def _tidy(text: str) -> str:
    """What PostgreSQL and the tokenizer can hold: no NUL, no half of a surrogate pair; one kind of line end."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").strip()
