"""Plain text and Markdown."""

from __future__ import annotations

import re

from worker.documents import Limits, Unreadable

MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
# No text has these; programs and pictures are full of them.
BINARY = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def read(content: bytes, _: Limits) -> str:
    """UTF-8, UTF-16 with its mark, or what older editors on Windows write. Unreadable for what is no text."""
    encoding = next((name for mark, name in MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    if BINARY.search(text) or text.count("\ufffd") > len(text) / 100:
        raise Unreadable("The file is not a text file, whatever its name says. Hand in the text itself.")
    return text
