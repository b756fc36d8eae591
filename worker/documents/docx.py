"""Word documents: the paragraphs of the body, tables and text boxes included, as they read with all changes accepted.

Headers, footers, footnotes and comments are left out: they are seldom the student's own running text.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import docx
from docx.oxml.ns import qn

from worker.documents import Limits, Unreadable

OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
PARAGRAPH, TEXT = qn("w:p"), qn("w:t")
BREAKS = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
NO_MEMORY = 2  # libxml2's XML_ERR_NO_MEMORY, which lxml tells as an error of syntax
# What was deleted or moved away, the second form of a text box, and the code of fields.
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
NOT_SHOWN = {qn("w:del"), qn("w:moveFrom"), FALLBACK}


def read(content: bytes, limits: Limits) -> str:
    """Its paragraphs, a line each. Unreadable when it is encrypted, broken, huge, or something else."""
    _look_into(content, limits)
    try:
        body = docx.Document(io.BytesIO(content)).element.body
    except (KeyError, ValueError, SyntaxError, OSError, zipfile.BadZipFile, AttributeError) as error:
        if getattr(error, "code", None) == NO_MEMORY:
            raise MemoryError from error
        raise Unreadable("The Word document is broken. Open it, save it again as .docx, and hand that in.") from error
    lines = ("".join(_pieces(each)) for each in body.iter(PARAGRAPH) if not _in_fallback(each))
    return "\n".join(lines)


def _look_into(content: bytes, limits: Limits) -> None:
    """Before anything is unpacked: is it a Word document, and how long would it be?"""
    if content.startswith(OLD_OFFICE):
        raise Unreadable(
            "The Word document is protected by a password, or is an old .doc. Save it as .docx without a password."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            entries = packed.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise Unreadable("The file is not a Word document (.docx), whatever its name says.") from error
    if "[Content_Types].xml" not in {entry.filename for entry in entries}:
        raise Unreadable("The file is not a Word document (.docx), whatever its name says.")
    # What is unpacked ends at the size that the entry says: more of it is an error.
    if sum(entry.file_size for entry in entries) > limits.unpacked_bytes:
        raise Unreadable(
            f"The Word document unpacks to more than {limits.unpacked_bytes // 2**20} MiB. Take out its pictures, or hand in "
            "its text."
        )


def _pieces(node: Any) -> Iterator[str]:
    for child in node:
        if child.tag == TEXT:
            yield child.text or ""
        elif child.tag in BREAKS:
            yield BREAKS[child.tag]
        elif child.tag != PARAGRAPH and child.tag not in NOT_SHOWN:  # a paragraph in a text box has its own turn
            yield from _pieces(child)


def _in_fallback(paragraph: Any) -> bool:
    return any(parent.tag == FALLBACK for parent in paragraph.iterancestors())
