"""Files as students hand them in, and as others make them."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence

import docx
from pypdf import PdfReader, PdfWriter

ESSAY = "Phones should stay in the bag during lessons, because they distract everybody who sits near them. "


def word(*paragraphs: str, table: Sequence[str] = ()) -> bytes:
    """A Word document."""
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    if table:
        cells = document.add_table(1, len(table)).rows[0].cells
        for cell, text in zip(cells, table, strict=True):
            cell.text = text
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def word_with(body: str, **more: bytes) -> bytes:
    """A Word document whose body is the given XML; `more` are further parts."""
    source, out = io.BytesIO(word("BODY")), io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == "word/document.xml":
                start, end = content.index(b"<w:body>") + 8, content.index(b"<w:sectPr")
                content = content[:start] + body.encode() + content[end:]
            new.writestr(entry.filename, content)
        for name, content in more.items():
            new.writestr(name, content)
    return out.getvalue()


def pdf(*pages: Sequence[str], compressed: bool = False) -> bytes:
    """A PDF with lines of text on its pages."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for n, lines in enumerate(pages):
        shown = "".join(f"({line}) Tj T*\n" for line in lines)
        content = f"BT /F1 12 Tf 14 TL 50 750 Td\n{shown}ET".encode()
        packed = zlib.compress(content) if compressed else content
        how = b" /Filter /FlateDecode" if compressed else b""
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {5 + 2 * n} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode(),
            b"<< /Length %d%s >>\nstream\n%s\nendstream" % (len(packed), how, packed),
        ]
    return _file(objects)


def scan() -> bytes:
    """A PDF that shows a picture and has no text."""
    picture = bytes(range(256)) * 3
    draw = b"q 500 0 0 700 50 50 cm /Im0 Do Q"
    return _file([
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /XObject << /Im0 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(draw), draw),
        b"<< /Type /XObject /Subtype /Image /Width 16 /Height 16 /ColorSpace /DeviceRGB /BitsPerComponent 8 /Length 768 >>"
        b"\nstream\n" + picture + b"\nendstream",
    ])  # fmt: skip


def encrypted(password: str, content: bytes | None = None) -> bytes:
    """A PDF that opens with a password only."""
    writer, out = PdfWriter(), io.BytesIO()
    for page in PdfReader(io.BytesIO(content or pdf([ESSAY]))).pages:
        writer.add_page(page)
    writer.encrypt(password, owner_password="owner", algorithm="RC4-128")
    writer.write(out)
    return out.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A .zip of files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return out.getvalue()


def _file(objects: Sequence[bytes]) -> bytes:
    out, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size, start = len(objects) + 1, len(out)
    return (
        out + b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
        + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
    )  # fmt: skip
