"""Lines of logs: one form for all, and nothing in them that a student wrote."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
import uuid

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

from db.errors import JobNotFound
from db.logs import Lines, about
from db.session import Database
from db.settings import DatabaseSettings
from db.tracebacks import CAUSES, Discreet, in_words, story

MARKER = "what a student wrote"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def heard():
    """A logger, and the lines that came of it."""
    out = io.StringIO()
    log, handler = logging.getLogger(uuid.uuid4().hex), logging.StreamHandler(out)
    handler.setFormatter(Lines("auto", out, service="test", worker="w-1"))
    handler.addFilter(Discreet())
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    return log, lambda: [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_has_its_own_fields_those_around_it_and_those_of_its_process(heard):
    log, lines = heard
    job = uuid.uuid4()
    with about(request_id="r-1", batch=None):
        log.info("graded %d", 3, extra={"job": job, "ms": 1.5, "code": None})
    log.warning("alone")
    first, second = lines()
    assert first["time"].endswith("+00:00") and first["pid"]
    expected = {"level": "info", "event": "graded 3", "service": "test", "worker": "w-1", "request_id": "r-1"}
    assert {**expected, "job": str(job), "ms": 1.5}.items() <= first.items()
    assert "code" not in first and "batch" not in first
    assert second["level"] == "warning" and "request_id" not in second


def test_what_one_thread_is_about_is_not_on_the_lines_of_another(heard):
    log, lines = heard
    with about(request_id="mine"):
        other = threading.Thread(target=log.info, args=("of another",))
        other.start()
        other.join()
    assert "request_id" not in lines()[0]


def test_line_breaks_and_half_characters_make_no_second_line(heard):
    log, lines = heard
    # Not by the logger: pytest would keep the line, and its report of this test could not be sent to another process.
    told = {"msg": 'one\n{"event": "forged"}\ud800', "levelno": logging.INFO, "levelname": "INFO"}
    log.handlers[0].handle(logging.makeLogRecord(told))
    (line,) = lines()
    assert line["event"].startswith("one\n") and line["level"] == "info"


def test_a_traceback_tells_places_and_kinds_and_not_what_messages_quote(heard):
    log, lines = heard
    try:
        try:
            int(MARKER)
        except ValueError as error:
            raise KeyError(MARKER) from error
    except KeyError as error:
        log.exception("it failed: %s", error)
        log.error(error)
    failed, bare = lines()
    assert failed["event"] == "it failed: KeyError" and bare["event"] == "KeyError"
    told = failed["exception"]
    assert "ValueError\n\nThe above exception was the direct cause" in told and told.endswith("KeyError")
    assert "test_logs.py" in told and MARKER not in json.dumps(lines())


def test_our_own_errors_and_those_of_files_say_what_happened():
    assert in_words(JobNotFound("there is no job with this id")) == "JobNotFound: there is no job with this id"
    assert in_words(FileNotFoundError(2, "No such file")) == "FileNotFoundError: [Errno 2] No such file"
    assert in_words(ValueError(MARKER)) == "ValueError"


def test_a_circle_of_causes_ends():
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert story(first).count("Error") <= CAUSES + 1


def test_a_statement_that_the_database_refuses_quotes_no_value(database, heard):
    log, lines = heard
    with pytest.raises(DataError) as refused:
        with database.session() as session:
            session.execute(text("SELECT CAST(:text AS int)"), {"text": MARKER})
    log.error("it failed", exc_info=refused.value)
    (line,) = lines()
    assert "InvalidTextRepresentation (22P02)" in line["exception"] and MARKER not in json.dumps(line)
    assert "hidden" in str(refused.value)  # parameters, even where somebody prints the whole error


def test_a_database_that_refuses_the_password_says_so_without_it(servers):
    wrong = servers.database_url.replace("gradeline:", "gradeline:a-secret-", 1)
    with pytest.raises(psycopg.OperationalError) as refused:
        psycopg.connect(wrong, connect_timeout=10)
    assert "password authentication failed" in in_words(refused.value)
    assert "a-secret-" not in in_words(refused.value) + story(refused.value)


def test_a_terminal_gets_columns_and_a_file_json_unless_it_is_asked_otherwise():
    record = logging.LogRecord("api.access", logging.INFO, "", 0, "GET /v1/jobs 200", None, None)
    record.request_id = "r-1"
    for form, stream, is_json in (
        ("auto", Terminal(), False),
        ("auto", io.StringIO(), True),
        ("json", Terminal(), True),
        ("console", io.StringIO(), False),
    ):
        line = Lines(form, stream).format(record)
        assert line.startswith("{") == is_json, form
        assert "GET /v1/jobs 200" in line and "r-1" in line


CRASH = """
import logging, warnings
from db.logs import configure
from db.settings import DatabaseSettings
configure(DatabaseSettings(), "crash", worker="w-9")
logging.getLogger("celery.app.trace").error("said elsewhere")
logging.getLogger("httpcore").debug("a library tells all")
logging.getLogger("worker.grading").debug("ours")
warnings.warn("something is old")
raise ValueError("what a student wrote")
"""


@pytest.mark.parametrize(("level", "ours"), [("INFO", False), ("DEBUG", True)])
def test_warnings_and_the_last_words_of_a_process_have_the_same_form(level, ours):
    done = subprocess.run(
        [sys.executable, "-c", CRASH], capture_output=True, text=True, timeout=60, check=False,
        env={"GRADELINE_LOG_LEVEL": level, "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 1 and MARKER not in done.stderr.replace(f'ValueError(\\"{MARKER}\\")', "")
    assert all(line["worker"] == "w-9" for line in lines)
    assert ("ours" in [line["event"] for line in lines]) == ours
    assert ("said elsewhere" in [line["event"] for line in lines]) == ours
    assert not any("a library" in line["event"] for line in lines)
    assert any("something is old" in line["event"] for line in lines)
    assert lines[-1]["event"] == "ended by an error" and lines[-1]["exception"].endswith("ValueError")


def test_a_database_hides_the_parameters_of_its_statements(servers):
    opened = Database(DatabaseSettings(database_url=servers.database_url))
    assert opened.engine.hide_parameters
    opened.close()
