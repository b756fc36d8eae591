"""A class of files, good and bad, on a whole running stack."""

from __future__ import annotations

import csv
import io

import pytest

from tests.documents import ESSAY, encrypted, pdf, scan, word, word_with, zipped

pytestmark = pytest.mark.stack
TEXT = (ESSAY + "In the breaks they do no harm. ") * 6


def test_of_a_zip_good_files_are_graded_and_each_bad_one_is_named(stack, tmp_path):
    bad = {
        "bomb.docx": (word_with("<w:p/>", **{"word/media/a.png": b"\0" * 200 * 2**20}), "unpacks to more"),
        "locked.pdf": (encrypted("secret"), "encrypted"),
        "scanned.pdf": (scan(), "scan"),
        "renamed.docx": (b"MZ\x90\x00" + bytes(4000), "not a Word document"),
    }
    good = {
        "forty-pages.docx": word(*[ESSAY * 30] * 40),
        "essay.pdf": pdf([ESSAY] * 12, [ESSAY] * 12),
        "essay.txt": TEXT.encode(),
        "notes.md": TEXT.encode(),
    }
    packed = tmp_path / "class.zip"
    packed.write_bytes(zipped({**{name: content for name, (content, _) in bad.items()}, **good, "setup.exe": b"MZ"}))
    with stack.client() as client:
        batch = client.submit_batch_file(packed, prompt="Should phones be allowed at school?")
        assert [each["problem"]["errors"][0]["loc"] for each in batch["rejected"]] == [["setup.exe"]]
        client.wait_for_batch(batch["id"], seconds=240)
        jobs = {job["external_id"]: job for job in client.batch_jobs(batch["id"])}
        table = b"".join(client.results(batch["id"], "csv")).decode()
    assert set(jobs) == set(bad) | set(good)
    for name, (_, says) in bad.items():
        assert (jobs[name]["state"], jobs[name]["error"]["code"]) == ("failed", "unscorable"), name
        assert says in jobs[name]["error"]["detail"]
    for name in good:
        assert jobs[name]["state"] == "succeeded" and jobs[name]["overall"], name
    rows = {row["external_id"]: row for row in csv.DictReader(io.StringIO(table))}
    assert "OCR" in rows["scanned.pdf"]["error"] and float(rows["essay.pdf"]["overall"]) >= 0


def test_a_single_file_is_graded_like_its_text(stack, tmp_path):
    (tmp_path / "essay.docx").write_bytes(word(TEXT.strip()))
    with stack.client() as client:
        ids = [client.submit_file(tmp_path / "essay.docx")["id"], client.submit(TEXT.strip())["id"]]
        of_file, of_text = (client.wait_for(ids, seconds=240)[each] for each in ids)
    assert of_file["state"] == "succeeded" and of_file["scores"] == of_text["scores"]
