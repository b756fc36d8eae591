"""Tables of a run find their places in the page, again and again."""

from __future__ import annotations

import json

from bench.figures import filled, shown

BODY = {
    "machine": {"cpu": "a CPU", "cores": 2, "at": "2026-11-25T10:00:00"},
    "rounds": 5,
    "rows": [{"way": "line", "texts/s": 40.123}],
}


def test_a_result_is_put_into_its_place_and_replaced_by_the_next_run(tmp_path):
    page = "before\n\n<!-- figures: line -->\n\nbetween\n\n<!-- figures: none -->\n\nafter\n"
    (tmp_path / "line.json").write_text(json.dumps(BODY))
    once = filled(page, tmp_path)
    assert "| line | 40.1 |" in once and "*a CPU, 2 cores, 2026-11-25; rounds 5.*" in once
    assert once.endswith("<!-- figures: none -->\n\nafter\n") and filled(once, tmp_path) == once
    (tmp_path / "line.json").write_text(json.dumps({**BODY, "rows": [{"way": "line", "texts/s": 2.0}]}))
    again = filled(once, tmp_path)
    assert "40.1" not in again and "| line | 2 |" in again and "between" in again


def test_numbers_are_shown_with_as_many_figures_as_mean_something():
    assert [shown(v) for v in (1234567, 0.93456, 12, 45.678, "a|b", None)] == [
        "1,234,567",
        "0.935",
        "12",
        "45.7",
        "a\\|b",
        "None",
    ]
