"""Explanations by leaving sentences out."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from worker.explaining import MOST_PARTS, parts_of, reasons_of

SCALE = {"name": "Structure", "min": 0, "max": 10}


def test_sentences_headings_and_list_items_are_parts():
    text = "My phone\n\nPhones help. They do! \n- one\n- two"
    assert [text[a:b] for a, b in parts_of(text)] == ["My phone", "Phones help.", "They do!", "- one", "- two"]


@given(st.text(alphabet="ab .!?\n", max_size=300))
def test_parts_follow_each_other_and_hold_every_letter(text):
    spans = parts_of(text)
    assert len(spans) <= MOST_PARTS
    assert all(a < b for a, b in spans) and all(x[1] <= y[0] for x, y in itertools.pairwise(spans))
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())


def test_a_long_text_is_parted_into_runs_of_sentences():
    text = " ".join(f"This is sentence {n}." for n in range(500))
    spans = parts_of(text)
    assert len(spans) <= MOST_PARTS and (spans[0][0], spans[-1][1]) == (0, len(text))


def test_the_effect_is_what_the_score_would_lose_in_points_of_its_scale():
    good, bad = "Therefore it is good.", "Bla bla."

    def scores(texts):
        return np.array([[0.5 + 0.2 * (good in t) - 0.1 * (bad in t)] for t in texts])

    (reasons,) = reasons_of(f"{good} It is so. {bad}", [SCALE], scores)
    assert [(r["text"], r["effect"]) for r in reasons] == [(good, 2.0), (bad, -1.0)]
    assert (reasons[1]["start"], reasons[1]["end"]) == (32, 40)


def test_a_text_of_one_sentence_has_no_reasons():
    assert reasons_of("Only this.", [SCALE], lambda texts: np.zeros((len(texts), 1))) == [[]]
