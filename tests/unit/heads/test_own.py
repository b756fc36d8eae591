"""A head of one's own, from the command to the marks."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gradeline.cli import commands
from gradeline.cli.heads import missing_of
from heads.graded import BadData
from heads.measuring import FIGURES, refuse_worse, table_of
from heads.own import terminal
from tests.unit.worker.engine.test_checkpoints import RUBRIC, mark, settings, text
from tests.unit.worker.engine.tiny import make
from worker.child import load_marker
from worker.errors import ModelUnavailable
from worker.head.home import add_version, folder_of, newest, read_own, versions

NAMES = ("Structure", "Clarity")


def class_of(file: Path, model_marker=None, count: int = 60) -> Path:
    """Essays of two assignments; a longer one is better, so that something can be learned."""
    draw = np.random.default_rng(0)
    with file.open("w", newline="") as opened:
        out = csv.writer(opened)
        out.writerow(["text", "assignment", *NAMES])
        for n in range(count):
            words = int(draw.integers(10, 200))
            score = 1 + round(words / 50)
            out.writerow([text(words, n), "ab"[n % 2], score, min(5, max(1, score + n % 3 - 1))])
    return file


def heads(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from gradeline.cli import main; main()", "heads", *arguments, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A home in which a head was fitted for a tiny BERT, and what the command printed."""
    home = tmp_path_factory.mktemp("home")
    model, data = make(home / "m", "bert"), class_of(home / "class.csv")
    before = load_marker(settings(home, model, engine="torch"), "w")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADELINE_ENGINE", "torch")
        done = heads(home, "fit", "--model", str(model), "--data", str(data), "--min", "1", "--max", "5")
        assert done.returncode == 0, done.stderr
        again = heads(home, "evaluate", "--model", str(model), "--data", str(data), "--min", "1", "--max", "5")
    return home, model, before, done.stdout, again


def test_a_model_that_could_not_grade_grades_by_its_own_head_after_it_was_fitted(fitted):
    home, model, before, printed, _ = fitted
    assert mark(before, text(50)).error["code"] == "model_unavailable"
    assert "60/60" in printed and "own@1" in printed and "QWK" in printed
    marker = load_marker(settings(home, model, engine="torch"), "w")
    short, long = (mark(marker, text(words), RUBRIC[:2]).result for words in (15, 190))
    assert long["scored_by"]["head"] == "own@1" and not long["degraded"]
    assert long["scores"][0]["score"] > short["scores"][0]["score"] + 30
    low, high = long["scores"][0]["interval"]
    assert high - low < 100 and long["scores"][0]["confidence"] == 0.9


def test_criteria_that_were_not_in_the_data_are_not_scored(fitted):
    home, model, *_ = fitted
    refused = mark(load_marker(settings(home, model, engine="torch"), "w"), text(50))
    assert refused.error["code"] == "unscorable" and "Structure, Clarity" in refused.error["detail"]


def test_calibrations_have_a_standing_head_for_that_encoder(fitted):
    home, model, *_ = fitted
    marker = load_marker(settings(home, model, engine="torch"), "w")
    assert (marker.standing.model, marker.standing.revision) == (marker.model, marker.revision)
    assert np.isfinite(marker.standing.weights).all() and (marker.standing.half_widths > 0).all()


def test_the_card_says_what_was_measured_and_on_what(fitted):
    home, *_ = fitted
    file = next(home.glob("heads/*/1/own.json"))
    about = json.loads(file.read_text())
    assert about["criteria"] == list(NAMES) and len(about["sha256"]) == 64 and len(about["card"]["data_sha256"]) == 64
    # The made essays repeat their sentences word for word, which count once: length says less than it could.
    assert about["card"]["measured"]["agreement"]["Structure"]["qwk"] > 0.7
    assert 0.7 < about["card"]["measured"]["coverage"]["Structure"]["coverage"] <= 1


def test_essays_with_four_prompts_teach_what_is_off_topic_and_those_without_prompts_do_not(
    fitted, tmp_path, monkeypatch
):
    home, model, *_ = fitted
    header, *kept = csv.reader((home / "class.csv").read_text().splitlines())
    with (tmp_path / "asked.csv").open("w", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(["prompt", *header])
        rows.writerows([text(12, 100 + n % 4), *row] for n, row in enumerate(kept))
    monkeypatch.setenv("GRADELINE_ENGINE", "torch")
    done = heads(tmp_path, "fit", "--model", str(model), "--data", str(tmp_path / "asked.csv"))
    assert done.returncode == 0, done.stderr
    card, before = (json.loads(next(each.glob("heads/*/1/own.json")).read_text())["card"] for each in (tmp_path, home))
    assert card["off_topic"] == "fitted on these prompts" and "too few" in before["off_topic"]
    asked, unasked = (load_marker(settings(each, model, engine="torch"), "w") for each in (tmp_path, home))
    assert asked.head.centre.any() and not unasked.head.centre.any()
    assert asked.reader.mark != unasked.reader.mark


def test_evaluating_measures_the_head_in_use_and_says_if_it_knows_the_data(fitted):
    again = fitted[-1]
    assert again.returncode == 0, again.stderr
    assert "own@1" in again.stdout and "adj." in again.stdout and "very file" in again.stdout


def test_fitting_again_makes_the_next_version_and_the_newest_is_used(tmp_path):
    folder = folder_of(tmp_path, "m", "r")
    assert newest(tmp_path, "m", "r") is None
    for version in range(1, 12):
        assert add_version(tmp_path, "m", "r", lambda f, v: (f / "v").write_text(str(v)) and None) == version
    assert versions(folder) == list(range(1, 12)) and newest(tmp_path, "m", "r").name == "11"
    assert (folder / "1" / "v").read_text() == "1"


def test_a_version_that_could_not_be_written_leaves_nothing(tmp_path):
    def fail(folder, version):
        (folder / "half").write_text("x")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        add_version(tmp_path, "m", "r", fail)
    assert list(folder_of(tmp_path, "m", "r").iterdir()) == []


def test_a_criterion_is_printed_as_it_is_called(capsys):
    name = "[/i] Wit :smile:"
    terminal().print(table_of({name: dict.fromkeys(FIGURES)}, {name: {"coverage": 0.9, "width": 0.5}}, "[class]"))
    assert name in (out := capsys.readouterr().out) and "[class]" in out


def test_a_head_of_another_encoder_is_refused(fitted):
    home, *_ = fitted
    with pytest.raises(ModelUnavailable, match="not this encoder"):
        read_own(next(home.glob("heads/*/1")), "other", "r")


def test_a_checkpoint_gets_measured_intervals_and_a_standing_head_by_fitting(tmp_path, monkeypatch):
    model = make(tmp_path / "m", "bert", list(NAMES))
    data = class_of(tmp_path / "class.csv")
    done = heads(tmp_path, "fit", "--model", str(model), "--data", str(data))
    assert done.returncode == 0, done.stderr
    marker = load_marker(settings(tmp_path, model), "w")
    result = mark(marker, text(50), RUBRIC[:2]).result
    assert marker.standing is not None and result["scored_by"]["head"] == "own@1"
    assert {s["confidence"] for s in result["scores"]} == {0.9}


def test_an_error_in_the_data_is_one_line_and_no_traceback(tmp_path):
    (tmp_path / "bad.csv").write_text("text,Clarity\nessay,four\n")
    done = heads(tmp_path, "fit", "--data", str(tmp_path / "bad.csv"))
    assert done.returncode == 1
    assert done.stderr.strip() == "gradeline: row 2, column 'Clarity': 'four' is not a number"


def test_a_model_without_a_head_is_not_evaluated(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADELINE_ENGINE", "torch")
    model = make(tmp_path / "m", "bert")
    done = heads(tmp_path, "evaluate", "--model", str(model), "--data", str(class_of(tmp_path / "class.csv")))
    assert done.returncode == 1 and f"gradeline heads fit --model {model} --data FILE.csv" in done.stderr


def test_the_commands_say_what_they_need():
    done = CliRunner().invoke(commands, ["heads", "fit"])
    assert done.exit_code == 2 and "--data" in done.output
    assert missing_of(("json", "no_such_module")) == ["no_such_module"]


def test_a_head_that_agrees_worse_than_the_one_that_comes_along_is_made_only_by_force():
    worse = {"agreement": {"Clarity": {"qwk": 0.4}}, "default": {"Clarity": {"qwk": 0.5}}}
    with pytest.raises(BadData, match=r"mean QWK 0\.40.*\(0\.50\).*--force"):
        refuse_worse(worse, force=False)
    refuse_worse(worse, force=True)
    refuse_worse({"agreement": worse["default"], "default": worse["agreement"]}, force=False)
