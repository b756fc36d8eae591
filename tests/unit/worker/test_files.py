"""A worker reads files before it grades; one that is too much for it costs no other."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db import jobs, upload
from db.erasing import erase
from db.submission import Submission
from db.upload import NewFile, Upload
from tests.documents import ESSAY, encrypted, pdf, scan, word, word_with
from tests.unit.worker.test_grading import found, grading, submit, tenant  # noqa: F401
from worker.engine.fake import FakeEngine
from worker.errors import Unscorable
from worker.extractor import Extractor
from worker.settings import WorkerSettings

TEXT = (ESSAY * 10).strip()


@pytest.fixture
def work(database, servers):
    made = grading(database, servers, FakeEngine())
    yield made
    made.stop()


@pytest.fixture
def extractor():
    made: list[Extractor] = []

    def extractor(**settings) -> Extractor:
        made.append(Extractor(WorkerSettings(**settings)))
        return made[-1]

    yield extractor
    for each in made:
        each.stop()


def hand_in(database, tenant, kind, content, **fields):  # noqa: F811
    return submit(database, tenant, "", file=NewFile(kind, content), **fields)


def kept_files(database, *ids) -> int:
    with database.session() as session:
        owned = select(func.count()).select_from(Upload).where(Upload.submission_id.in_(ids))
        return session.scalar(owned) or 0


def test_files_are_read_graded_and_gone(database, tenant, work):  # noqa: F811
    files = [("txt", TEXT.encode()), ("md", TEXT.encode()), ("docx", word(TEXT)), ("pdf", pdf([ESSAY] * 10))]
    ids = [hand_in(database, tenant, *file) for file in files]
    ids.append(submit(database, tenant, TEXT))
    assert work.chunk(ids).result() == 5
    views = [found(database, tenant, job) for job in ids]
    assert [view.job.state for view in views] == ["succeeded"] * 5
    assert len({str(view.result.scores) for view in views[:3]} | {str(views[4].result.scores)}) == 1
    submissions = [view.job.submission_id for view in views]
    assert kept_files(database, *submissions) == 0
    with database.session() as session:
        kept = [session.get_one(Submission, each) for each in submissions]
    assert kept[0].text == TEXT.strip() and kept[0].fingerprint and "distract" in kept[3].text


def test_a_file_that_can_not_be_read_fails_alone_and_says_why(database, tenant, work):  # noqa: F811
    bad = [
        ("pdf", encrypted("secret"), "encrypted"),
        ("pdf", scan(), "OCR"),
        ("docx", b"MZ\x90\0" * 50, "not a Word document"),
        ("docx", word_with("<w:p/>", **{"a.bin": b"\0" * 101 * 2**20}), "unpacks to more than 100 MiB"),
    ]
    good = hand_in(database, tenant, "docx", word(TEXT))
    ids = [hand_in(database, tenant, kind, content) for kind, content, _ in bad]
    work.chunk([*ids, good]).result()
    assert found(database, tenant, good).job.state == "succeeded"
    for job, (_, _, says) in zip(ids, bad, strict=True):
        view = found(database, tenant, job)
        assert (view.job.state, view.job.error["code"], view.job.error["status"]) == ("failed", "unscorable", 422)
        assert says in view.job.error["detail"] and view.result is None
        assert kept_files(database, view.job.submission_id) == 1  # for a retry, when limits are wider


def test_an_erasure_takes_the_file_with_it(database, tenant, work):  # noqa: F811
    job = hand_in(database, tenant, "txt", TEXT.encode())
    with database.session() as session:
        erase(session, tenant, job)
    view = found(database, tenant, job)
    assert kept_files(database, view.job.submission_id) == 0
    with database.session() as session:
        upload.read(session, view.job.submission_id, "A reader that comes too late.")
    with database.session() as session:
        assert session.get_one(Submission, view.job.submission_id).text == ""


def test_files_that_are_not_reached_wait_for_the_next_chunk_and_lose_no_attempt(database, servers, tenant):  # noqa: F811
    work = grading(database, servers, FakeEngine())
    work.files.settings = work.settings.model_copy(update={"chunk_limit_s": 0})
    ids = [hand_in(database, tenant, "txt", TEXT.encode()), submit(database, tenant, TEXT)]
    assert work.chunk(ids).result() == 1
    view = found(database, tenant, ids[0])
    assert (view.job.state, view.attempt.outcome) == ("queued", "handed_back")
    work.files.settings = work.settings
    assert work.chunk(ids).result() == 1
    assert found(database, tenant, ids[0]).job.state == "succeeded"
    work.stop()


def test_a_file_of_a_job_that_was_never_read_is_there_for_a_retry(database, tenant, work):  # noqa: F811
    job = hand_in(database, tenant, "pdf", b"%PDF-1.4 nothing")
    work.chunk([job]).result()
    with database.session() as session:
        submission = jobs.owned(session, tenant, job).submission_id
        session.get_one(Upload, submission).content = pdf([ESSAY])
        jobs.retry(session, tenant, job)
    work.chunk([job]).result()
    assert found(database, tenant, job).job.state == "succeeded"


def test_reading_that_takes_too_long_is_ended_and_the_next_file_is_read(extractor):
    reader = extractor()
    assert reader.text("txt", b"First.") == "First."
    process = reader._process
    os.kill(process.pid, signal.SIGSTOP)  # as if a file kept it busy for ever
    reader.settings = reader.settings.model_copy(update={"file_seconds": 0.5})
    with pytest.raises(Unscorable, match=r"longer than 0\.5 s"):
        reader.text("txt", b"Second.")
    reader.settings = WorkerSettings()
    assert reader.text("txt", b"Third.") == "Third."
    assert reader._process.pid != process.pid


def test_a_reader_that_is_killed_costs_one_file(extractor):
    reader = extractor()
    reader.text("txt", b"First.")
    os.kill(reader._process.pid, signal.SIGSTOP)
    os.kill(reader._process.pid, signal.SIGKILL)
    reader._process.wait()
    assert reader.text("txt", b"Second.") == "Second."


def test_a_file_that_takes_too_much_memory_is_refused_and_the_next_one_is_read(extractor):
    reader = extractor(file_memory_mb=200)
    huge = word_with("".join(f"<w:p><w:r><w:t>{n}</w:t></w:r></w:p>" for n in range(1_000_000)))
    with pytest.raises(Unscorable, match="Hand in its text"):
        reader.text("docx", huge)
    assert reader.text("docx", word("Small.")) == "Small."


def test_the_reader_knows_no_address_and_no_key(extractor, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere")
    reader = extractor()
    reader.text("txt", b"Text.")
    assert "somewhere" not in Path(f"/proc/{reader._process.pid}/environ").read_text()
