"""`gradeline grade`: what is handed in is graded whatever happens to the API, and what is left out is said."""

from __future__ import annotations

import re

import pytest

from gradeline.errors import ClientError
from tests.documents import pdf, word


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "class"
    (made / "more").mkdir(parents=True)
    (made / "anna.docx").write_bytes(word("A text."))
    (made / "more" / "ben.txt").write_text("A text.")
    return made


def test_the_command_sends_a_folder_a_table_and_single_files(client, command, graded, folder, tmp_path):
    (folder / ".hidden.txt").write_text("No text of the class.")
    (folder / "picture.jpg").write_bytes(b"\0")
    (tmp_path / "class.csv").write_text("text,external_id\nA text.,carl\n,dora\n")
    (tmp_path / "eve.pdf").write_bytes(pdf(["A text."]))
    shown = command("grade", str(folder), str(tmp_path / "class.csv"), str(tmp_path / "eve.pdf"), fails=True)
    for name in ("anna.docx", "more/ben.txt", "carl", "eve.pdf", "row 2"):
        assert name in shown
    assert len(list(client.jobs())) == 4


def test_what_a_folder_holds_and_is_not_read_is_listed_with_what_to_do(client, command, graded, folder):
    for name in ("carl.doc", "dora.rtf", "eve.odt", "picture.jpg", "marks.xlsx", "other.zip"):
        (folder / name).write_bytes(b"x")
    for name in (".DS_Store", "Thumbs.db", "~$anna.docx"):
        (folder / name).write_bytes(b"x")
    shown = command("grade", str(folder), fails=True)
    for name in ("carl.doc", "dora.rtf", "eve.odt", "picture.jpg"):
        assert re.search(rf"{name} is left out: .*save it as \.docx or \.pdf\n", shown)
    assert "marks.xlsx is left out: a table is read as .csv" in shown
    assert "other.zip is left out: it may hold many texts" in shown
    assert not re.search(r"DS_Store|Thumbs|~\$", shown)
    assert sorted(job["external_id"] for job in client.jobs()) == ["anna.docx", "more/ben.txt"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("class.xlsx", "a table is read as .csv: save it as CSV UTF-8"), ("essay.rtf", "save it as .docx or .pdf"),
     ("essay.bin", "save it as such, or as .docx or .pdf")],
)  # fmt: skip
def test_a_file_that_is_no_text_is_refused_with_what_to_do(command, client, tmp_path, name, said):
    (tmp_path / name).write_bytes(b"{\\rtf1 \xff\xfe}")
    with pytest.raises(ClientError, match=re.escape(said)):
        command("grade", str(tmp_path / name))
    assert list(client.jobs()) == []


def test_a_class_is_watched_on_when_the_api_was_away(command, forgetful, graded, folder):
    forgetful.away = 3
    shown = command("grade", str(folder), fails=True)
    assert shown.count("asking again") == 1 and "more/ben.txt" in shown


def test_single_files_are_watched_on_when_the_api_was_away(command, forgetful, graded, folder):
    forgetful.away = 3
    shown = command("grade", str(folder / "anna.docx"), fails=True)
    assert shown.count("asking again") == 1 and "It failed with unscorable." in shown


def test_a_watch_that_ends_says_the_batch_and_how_to_go_on(client, told, forgetful, folder):
    forgetful.stranger_reads = True
    said = told("grade", str(folder))
    forgetful.stranger_reads = False
    batch = next(client.jobs())["batch_id"]
    first, last = said.splitlines()[0], said.splitlines()[-1]
    assert first.startswith(f"batch {batch}, 2 texts: ")
    assert last.startswith("gradeline: ") and f"`gradeline results {batch} -o results.xlsx`" in last


def test_a_name_with_markup_is_shown_after_grading(command, graded, tmp_path):
    (tmp_path / "class.csv").write_text("text,external_id\nA text.,[/i] x\nA text.,Carl [draft].txt\n")
    shown = command("grade", str(tmp_path / "class.csv"), fails=True)
    assert "[/i] x" in shown and "Carl [draft].txt" in shown


def test_each_thing_that_the_api_refuses_is_a_line(told, tmp_path):
    (tmp_path / "essay.txt").write_text("A text.\n")
    said = told("grade", str(tmp_path / "essay.txt"), "--rubric", "nobody's")
    assert said.count("\n") == 1 and "nobody's" in said
    (tmp_path / "class.csv").write_text("text,external_id\nA text.,anna\n")
    said = told("grade", str(tmp_path / "class.csv"), "--rubric", '{"criteria": [{}, {"name": 3}]}')
    assert said.startswith("gradeline: ") and "\n  rubric" in said
