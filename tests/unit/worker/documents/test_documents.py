"""The text of files, and a sentence for each that has none."""

from __future__ import annotations

import pytest

from tests.documents import ESSAY, encrypted, pdf, scan, word, word_with, zipped
from worker.documents import Limits, Unreadable, text_of
from worker.documents.pdf import paragraphs

LIMITS = Limits(pages=3, unpacked_bytes=5 * 2**20)
EXE = b"MZ\x90\x00\x03\x00\x00\x00\x04\x00" + bytes(range(256)) * 40


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Größe – “quoted”.\r\nSecond line.\r".encode(), "Größe – “quoted”.\nSecond line."),
        (b"\xef\xbb\xbfA mark.", "A mark."),
        ("Größe".encode("utf-16"), "Größe"),
        ("Größe – “quoted”".encode("cp1252"), "Größe – “quoted”"),
    ],
)
def test_plain_text_is_read_as_editors_write_it(content, text):
    assert text_of("txt", content, LIMITS) == text
    assert text_of("md", content, LIMITS) == text


def test_paragraphs_and_tables_of_a_word_document_are_lines():
    assert text_of("docx", word("One.", "Two.", table=("Left", "Right")), LIMITS) == "One.\nTwo.\nLeft\nRight"


def test_forty_pages_of_word_are_read_whole():
    assert text_of("docx", word(*[ESSAY * 30] * 40), LIMITS).count("Phones") == 1200


def test_a_word_document_reads_as_if_its_changes_were_accepted():
    body = (
        "<w:p><w:r><w:t>Phones </w:t></w:r><w:ins><w:r><w:t>often </w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText>never </w:delText></w:r></w:del>"
        "<w:hyperlink><w:r><w:t>distract</w:t><w:tab/><w:t>us.</w:t></w:r></w:hyperlink></w:p>"
    )
    assert text_of("docx", word_with(body), LIMITS) == "Phones often distract\tus."


@pytest.mark.parametrize("compressed", [False, True])
def test_lines_of_a_pdf_become_paragraphs(compressed):
    pages = [
        ["Phones distract all of us in every les-", "son, and nobody can help it at all. They", "ring."],
        ["A new page."],
    ]
    expected = "Phones distract all of us in every lesson, and nobody can help it at all. They ring.\nA new page."
    assert text_of("pdf", pdf(*pages, compressed=compressed), LIMITS) == expected


def test_a_pdf_that_everybody_may_open_is_read_though_it_is_encrypted():
    assert text_of("pdf", encrypted("", pdf(["Some text."])), LIMITS) == "Some text."


def test_a_short_line_ends_a_paragraph_and_a_ligature_is_letters():
    page = (
        "This line is as long as most of the lines\nare on this page, and so it goes on.\n"
        "Another one begins here and it is long\nenough."
    )
    assert paragraphs(page).splitlines() == [
        "This line is as long as most of the lines are on this page, and so it goes on.",
        "Another one begins here and it is long enough.",
    ]


BOMB = word_with("<w:p/>", **{"word/media/picture.png": b"\0" * (6 * 2**20)})
BAD = [
    ("an encrypted PDF", "pdf", encrypted("secret"), "encrypted"),
    ("a scanned PDF", "pdf", scan(), "scan"),
    ("a PDF that is cut off", "pdf", pdf([ESSAY])[:200], "broken"),
    ("a PDF with many pages", "pdf", pdf(*[["Text."]] * 4), "4 pages"),
    ("a program named .pdf", "pdf", EXE, "not a PDF"),
    ("a program named .docx", "docx", EXE, "not a Word document"),
    ("a program named .txt", "txt", EXE, "not a text file"),
    ("a .zip named .docx", "docx", zipped({"a.txt": b"a"}), "not a Word document"),
    ("a Word document that is cut off", "docx", word("Text.")[:-400], "not a Word document"),
    ("a Word document without its body", "docx", zipped({"[Content_Types].xml": b"<Types/>"}), "broken"),
    (
        "a Word document with a password, or an old .doc",
        "docx",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
        "password",
    ),
    ("a bomb", "docx", BOMB, "unpacks to more"),
    ("an empty Word document", "docx", word(), "no text"),
    ("blanks", "txt", b" \n\t ", "no text"),
    ("a book", "txt", b"word " * 41_000, "longer than 200,000"),
]


@pytest.mark.parametrize(("kind", "content", "says"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_file_without_a_text_is_refused_with_a_sentence(kind, content, says):
    with pytest.raises(Unreadable, match=says) as refused:
        text_of(kind, content, LIMITS)
    assert str(refused.value).endswith(".") and "secret" not in str(refused.value)


def test_no_character_reaches_the_database_that_it_can_not_hold():
    body = "<w:p><w:r><w:t>A\ud83d\ude00B</w:t></w:r></w:p>".encode("utf-16", "surrogatepass").decode("utf-16")
    assert text_of("docx", word_with(body), LIMITS) == "A\U0001f600B"
    assert text_of("txt", "a\ud800b".encode("utf-8", "surrogatepass") + b"c" * 500, LIMITS).encode()
