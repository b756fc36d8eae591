"""Shares of repeats, borrowed runs, strings of keywords and rare words, counted by hand."""

from __future__ import annotations

import pytest

from worker.features.text import LEXICON, Text
from worker.patterns import LIST_RUN, RARE_RUN, borrowed, listed, rarest, repeated_runs, repeated_sentences


def test_a_run_that_came_before_counts_each_time_again():
    # ab bc ca ab bc: five runs, of which two came before
    assert repeated_runs(Text("a b c a b c").known, 2) == pytest.approx(2 / 5)
    assert repeated_runs(Text("a").known, 2) == 0


def test_a_sentence_that_comes_again_counts_with_its_words_but_a_short_one_does_not():
    assert repeated_sentences(Text("We like the old library. I agree. We like the old library! I agree.")) == 5


def test_words_in_runs_of_six_of_the_prompt_are_borrowed():
    prompt = "should our town build a library".split()
    known = LEXICON.look_up(prompt)
    assert borrowed(LEXICON.look_up(["yes", *prompt, "i", "think", "so"]), known) == pytest.approx(6 / 10)
    assert borrowed(known[:5], known) == 0 == borrowed(known, known[:0])


def share_of(words, prompt):
    return listed(words, LEXICON.look_up(words), prompt)


def test_only_keywords_that_come_again_or_stand_in_the_prompt_make_a_string_of_keywords():
    keywords = "phone school student lesson teacher".split()
    assert len(keywords) == LIST_RUN
    assert share_of([*keywords, "and", "the", *keywords], []) == pytest.approx(10 / 12)
    assert share_of([*keywords, "and", "the"], []) == 0
    assert share_of([*keywords, "and", "the"], ["school", "phone"]) == pytest.approx(5 / 7)
    assert share_of([], []) == 0


def test_the_densest_forty_words_count_the_rarest_twice_and_misspelt_short_ones_not_at_all():
    plain = ["the", "school", "is", "open"] * 30
    assert rarest(LEXICON.look_up([*plain, *["propensity"] * 8, *plain])) == pytest.approx(8 / RARE_RUN)
    assert rarest(LEXICON.look_up([*plain, *["recondite"] * 8, *plain])) == pytest.approx(16 / RARE_RUN)
    assert rarest(LEXICON.look_up([*plain, *["becuse"] * 8])) == 0 == rarest(LEXICON.look_up([]))
