"""What people have named reaches a terminal as it is, and nothing in it is obeyed."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table

from gradeline.cli.failed import table_of as table_of_failed
from gradeline.cli.keys import _show as show_keys
from gradeline.cli.logs import _show as show_line
from gradeline.cli.results import to_terminal
from gradeline.cli.table import table_of
from gradeline.cli.terminal import findings, harmless, terminal

NASTY = "[/i] [bold]x[/bold] \x1b[31m\x1b]0;title\x07\u202e\r\n :smile: \ud800"
SAID = "[/i] [bold]x[/bold] \ufffd[31m\ufffd]0;title\ufffd\ufffd   :smile: \ufffd"
JOB = {
    "id": "j-1", "state": "failed", "scores": None, "overall": None, "attempts": 1, "finished_at": "2026-01-02T03:04:05Z",
    "review_reasons": [], "timings": None, "error": {"code": NASTY, "detail": NASTY},
}  # fmt: skip


def printed(table: Table) -> str:
    file = io.StringIO()
    console = Console(file=file, width=400, markup=False, emoji=False)
    console.print(table)
    return file.getvalue()


def test_words_are_shown_in_one_line_and_what_a_terminal_obeys_is_marked():
    assert harmless(NASTY) == SAID
    for name in ("Ségolène", "Zoë O'Neil-Ng", "王小明", "محمد", "می\u200cخواهم", "👩\u200d🏫"):
        assert harmless(name) == name


def test_tables_show_names_and_errors_as_they_are():
    assert printed(table_of([NASTY], [JOB], 400)).count(SAID) == 2
    assert printed(table_of_failed([JOB])).count(SAID) == 2


def test_names_of_keys_and_lines_of_logs_are_shown_as_they_are(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    show_keys([{"name": NASTY}], ("name",), as_json=False)
    show_line("api", "LOG: \x1b[2J [x]", as_json=False)
    out = capsys.readouterr().out
    assert SAID.replace("\ud800", "")[:36] in out and "LOG: \ufffd[2J [x]" in out and "\x1b" not in out


def test_results_that_are_looked_at_are_lines_without_what_a_terminal_obeys(capsys):
    to_terminal([b"external_id,state\r\n\xc3", b"\xa9\x1b[2J,failed\r\n"])
    assert capsys.readouterr().out == "external_id,state\né\ufffd[2J,failed\n"


@pytest.mark.parametrize("width", [80, 200])
def test_ids_and_prefixes_that_other_commands_are_told_stay_whole(width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    key = {"prefix": "c20841729a9f", "tenant": "school " * 9, "name": "k" * 40, "scopes": ["submit", "read"]}
    times = dict.fromkeys(("last_used_at", "expires_at", "revoked_at"), "2026-11-27T18:28:34.123+00:00")
    show_keys([{**key, **times}], (*key, *times), as_json=False)
    assert "c20841729a9f" in (out := capsys.readouterr().out) and "…" not in out
    identity = "01a21e45-000f-71fe-b8bd-a8272d8545fc"
    error = {"code": "model_unavailable", "detail": "No worker has the model. Start one."}
    terminal().print(table_of_failed([{**JOB, "id": identity, "error": error}]))
    out = capsys.readouterr().out
    assert identity in out and "model_unavailable" in out and "…" not in out


def test_a_home_with_brackets_in_its_name_is_printed_as_it_is(capsys):
    terminal().print("data in /srv/[draft]/:smile:")
    assert capsys.readouterr().out == "data in /srv/[draft]/:smile:\n"


@pytest.mark.parametrize(
    ("loc", "line"),
    [(["items", 7, "text"], "items.7.text: is empty"), ([], "is empty"), (["a\x1b"], "a\ufffd: is empty")],
)
def test_what_a_problem_lists_is_a_line_each(loc, line):
    assert findings([{"loc": loc, "msg": "is empty"}]) == [line]
