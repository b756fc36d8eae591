"""What a person reads of lines that processes write as JSON."""

from __future__ import annotations

import json

from gradeline.stack.words import gist, plain

LINE = json.dumps(
    {"time": "2026-01-02T03:04:05.678+00:00", "level": "info", "event": "graded", "pid": 1, "worker": "w", "job": "j-1"}
)
FAILED = json.dumps({"event": "it failed", "level": "error", "exception": "Traceback\n  File x\nKeyError"})


def test_a_line_is_told_in_words_with_its_ids():
    assert plain(LINE) == "2026-01-02 03:04:05 INFO graded  job=j-1"


def test_an_exception_follows_its_line_as_it_was_printed():
    assert plain(FAILED).splitlines() == ["ERROR it failed", "Traceback", "  File x", "KeyError"]
    assert gist(FAILED) == "it failed: KeyError"


def test_a_line_of_a_server_stays_as_it_is():
    for line in ("LOG:  database system is ready", "{half", '["a list"]', '{"no": "event"}', ""):
        assert plain(f"{line}\n") == line and gist(line) == line
