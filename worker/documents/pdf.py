"""PDF files: the text of their pages, with lines joined to paragraphs."""

from __future__ import annotations

import io
import re
from statistics import median

from pypdf import PdfReader
from pypdf.errors import DependencyError, PyPdfError

from worker.documents import MOST_CHARACTERS, Limits, Unreadable

BROKEN = "The PDF is broken. Open it, print it into a new PDF, and hand that in."
ENCRYPTED = "The PDF is encrypted. Save it without protection, and hand that in."
# One character of a font for several letters.
LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
# A line that is this much of the usual length goes on in the next one.
FULL = 0.75
SENTENCE_END = re.compile(r"[.!?:][\"'”’)]*$")


def read(content: bytes, limits: Limits) -> str:
    """Unreadable when it is encrypted, broken, too long, has no text (a scan), or is something else."""
    if b"%PDF-" not in content[:1024]:
        raise Unreadable("The file is not a PDF, whatever its name says.")
    try:
        pages = _pages(content, limits)
    except DependencyError as error:
        raise Unreadable(ENCRYPTED) from error
    except (PyPdfError, ValueError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError, OSError) as error:
        # pypdf meets broken files with many kinds of errors.
        raise Unreadable(BROKEN) from error
    if not any(any(c.isalpha() for c in page) for page in pages):
        raise Unreadable(
            "The PDF has no text: it seems to be a scan or a photo. Recognise its text first (OCR), or hand in the text."
        )
    return "\n".join(paragraphs(page) for page in pages)


def _pages(content: bytes, limits: Limits) -> list[str]:
    reader = PdfReader(io.BytesIO(content))
    # Many are encrypted with an empty password: everybody may read them.
    if reader.is_encrypted and not reader.decrypt(""):
        raise Unreadable(ENCRYPTED)
    if len(reader.pages) > limits.pages:
        raise Unreadable(
            f"The PDF has {len(reader.pages):,} pages, and {limits.pages:,} can be read. Hand in a shorter one."
        )
    found: list[str] = []
    for page in reader.pages:
        found.append(page.extract_text().translate(LIGATURES))
        if sum(map(len, found)) > 2 * MOST_CHARACTERS:
            break  # too long, whatever comes
    return found


def paragraphs(page: str) -> str:
    """A page's lines joined to paragraphs: a PDF says where lines end, not where paragraphs do.

    A line that is about as long as lines are on the page goes on; a short one, or a sentence's end well before the margin,
    ends the paragraph. A word that is parted at the line's end becomes whole.
    """
    lines = [line.strip() for line in page.splitlines()]
    lengths = [len(line) for line in lines if line]
    usual = median(lengths) if lengths else 0
    out = ""
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if not line:
            continue
        goes_on = bool(after) and len(line) >= FULL * usual and not (SENTENCE_END.search(line) and len(line) < usual)
        if goes_on and line.endswith("-") and line[-2:-1].isalpha() and after[:1].islower():
            out += line[:-1]
        else:
            out += line + (" " if goes_on else "\n")
    return out.strip()
