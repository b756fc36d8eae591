"""`gradeline report` saves a page that a browser opens by itself."""

from __future__ import annotations

import json

import pytest

from gradeline.errors import ApiProblem


def test_the_page_is_saved_under_the_rubrics_name_and_the_command_says_where(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = command("report", "default")
    page = tmp_path / "default-report.html"
    assert str(page) in said and page.read_text().startswith("<!doctype html>")
    command("report", "default", "-o", "mine.html")
    assert (tmp_path / "mine.html").read_bytes() == page.read_bytes()


def test_a_name_that_no_file_can_have_is_made_one(client, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    client.rubrics.make("what? <1>", [{"name": "Structure", "min": 0, "max": 6, "measures": "Structure"}])
    command("report", "what? <1>")
    assert [file.name for file in tmp_path.iterdir()] == ["what- -1--report.html"]


def test_the_figures_come_as_json(command, tmp_path):
    assert json.loads(command("report", "default", "--json"))["kind"] == "default_head"
    assert str(tmp_path / "r.json") in command("report", "default", "--json", "-o", str(tmp_path / "r.json"))
    assert json.loads((tmp_path / "r.json").read_text())["rubric"]["name"] == "default"


def test_what_is_not_there_is_a_problem_and_leaves_no_file(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in (("nothing",), ("default", "--calibration", "none")):
        with pytest.raises(ApiProblem):
            command("report", *arguments)
    assert list(tmp_path.iterdir()) == []
