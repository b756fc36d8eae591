"""The table of scores is readable in a terminal of any width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from gradeline.cli.table import table_of

NAMES = ["phones-good.txt", "phones-weak.txt", "phones-off-topic.txt", "phones-injection.txt"]
CRITERIA = ("Structure", "Clarity", "Relevance", "Academic_Writing")


def job(points: float, *reasons: str, criteria=CRITERIA):
    score = {"score": points, "interval": [points - 20, points + 20]}
    return {
        "state": "succeeded", "scores": [{**score, "criterion": name, "level": "Good"} for name in criteria],
        "overall": score, "timings": {"total_ms": 12345.6}, "review_reasons": reasons, "error": None,
    }  # fmt: skip


def printed(names, jobs, width: int) -> str:
    file = io.StringIO()
    Console(file=file, width=width, markup=False, emoji=False).print(table_of(names, jobs, width))
    lines = file.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    return file.getvalue()


@pytest.mark.parametrize("width", [60, 70, 80, 100, 140, 200])
def test_every_name_is_whole_and_every_overall_score_is_there(width):
    jobs = [job(50), job(51, "wide_interval", "too_short"), job(52, "unusual_for_calibration"), job(53)]
    text = printed(NAMES, jobs, width)
    lines = [next(line for line in text.splitlines() if name in line) for name in NAMES]
    assert all(f"{points}" in line for points, line in zip(range(50, 54), lines, strict=True))
    assert "wide_interval" in text and "…" not in text


def test_the_narrower_the_terminal_the_less_is_shown_and_the_caption_says_so():
    jobs = [job(50)] * 4
    full, usual, narrow, least = (printed(NAMES, jobs, width) for width in (140, 80, 70, 40))
    assert "12346" in full and "12346" not in usual
    assert usual.count("30-70") == 4 * 5
    assert "Relevance" in narrow and "30-70" not in narrow and "wider window" in narrow
    assert "Relevance" not in least and least.count("30-70") == 4 and "wider" in least


def test_a_name_that_is_longer_than_its_column_is_folded_and_not_cut():
    name = "a-name-without-any-space-" * 4 + "end.docx"
    text = printed([name], [job(50)], 80)
    assert name in "".join(line.split(" ")[0] for line in text.splitlines())


def test_a_rubric_of_many_criteria_shows_overall_scores_in_a_narrow_terminal():
    text = printed(["anna"], [job(50, criteria=[f"Criterion {n}" for n in range(12)])], 80)
    assert "anna" in text and "30-70" in text and "Criterion" not in text
