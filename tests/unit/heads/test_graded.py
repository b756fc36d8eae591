"""Graded essays from a CSV."""

from __future__ import annotations

import numpy as np
import pytest

from heads.graded import FEWEST, BadData, read_graded


def csv_of(tmp_path, header, rows):
    file = tmp_path / "graded.csv"
    file.write_text("\n".join([header, *rows]) + "\n")
    return file


def essays(scores, text="An essay."):
    return [f"{text} {n},{each}" for n, each in enumerate(scores)]


SCORES = [n % 5 + 1 for n in range(FEWEST)]


def test_traits_count_for_their_criterion_in_any_spelling_and_other_columns_are_named(tmp_path):
    rows = [f"essay {n},teacher {n},{s},{s % 5 + 1},{s}" for n, s in enumerate(SCORES)]
    read = read_graded(csv_of(tmp_path, "Text,id,Syntax,phraseology,academic writing", rows))
    assert read.criteria == ("Clarity", "Academic_Writing") and (read.low, read.high, read.step) == (1, 5, 1)
    assert read.scores[0].tolist() == [1.5, 1.0] and read.unit[0].tolist() == [0.125, 0.0]
    assert any("id" in note for note in read.notes) and any("--min" in note for note in read.notes)


def test_a_scale_that_is_given_is_taken_and_nothing_is_said_of_it(tmp_path):
    read = read_graded(csv_of(tmp_path, "text,Clarity", essays(SCORES)), 0, 10)
    assert (read.low, read.high) == (0, 10) and not any("--min" in note for note in read.notes)


def test_an_empty_score_is_unknown_and_a_row_without_any_is_left_out(tmp_path):
    rows = [f"essay {n},{s},{s}" for n, s in enumerate(SCORES)]
    read = read_graded(csv_of(tmp_path, "text,Clarity,Structure", [*rows, "half,,3", "none,,"]))
    assert len(read.texts) == FEWEST + 1 and read.criteria == ("Structure", "Clarity")
    assert np.isnan(read.scores[-1, 1]) and read.scores[-1, 0] == 3


@pytest.mark.parametrize(
    ("header", "rows", "said"),
    [
        ("text,Clarity", [*essays(SCORES), "good,four"], rf"row {FEWEST + 2}, column 'Clarity': 'four' is not a number"),
        ("text,Clarity", [*essays(SCORES), "good,nan"], "'nan' is not a number"),
        ("text,Clarity", [*essays(SCORES), "good,9"], rf"row {FEWEST + 2}, column 'Clarity': 9 is outside the scale, 1 to 5"),
        ("text,Clarity", [*essays(SCORES), ",3"], rf"row {FEWEST + 2}, column 'text': empty"),
        ("text,Clarity", [*essays(SCORES), "good,3,4"], rf"row {FEWEST + 2}: 3 cells"),
        ("text,Clarity", essays(SCORES[:5]), "5 graded essays; at least 20"),
        ("text,Clarity", essays([3] * FEWEST), "all scores of Clarity are 3"),
        ("essay,Clarity", essays(SCORES), r"row 1: there is no column 'text' \(found: essay, Clarity\)"),
        ("text,Wit", essays(SCORES), "no column of scores: name them Structure"),
        ("text,Clarity,Clarity", essays(SCORES), "'Clarity' is there twice"),
        ("text,Clarity", ['"never closed,3'], "not a CSV"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_by_row_and_column(tmp_path, header, rows, said):
    with pytest.raises(BadData, match=said):
        read_graded(csv_of(tmp_path, header, rows), 1, 5)


def test_a_file_that_is_not_there_or_no_text_is_one_line(tmp_path):
    with pytest.raises(BadData, match="No such file"):
        read_graded(tmp_path / "no.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadData, match="UTF-8"):
        read_graded(tmp_path / "b.csv")
