"""What is said twice counts once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.features.repeats import once
from worker.features.surface import FEATURES, surface
from worker.features.text import Text

SENTENCE = "The dog sat on the mat by the door, and slept."
OTHER = "A cat came in."


def test_a_sentence_that_comes_again_is_left_out_with_its_mark():
    # 11 + 4 + 11 + 3 words, of which 11 were said before
    text, share = once(Text(f"{SENTENCE} {OTHER} {SENTENCE} It was late."))
    assert text.text == f"{SENTENCE} {OTHER} It was late." and share == pytest.approx(11 / 29)


def test_fewer_than_eight_words_may_come_again():
    text = Text(f"{OTHER} It was late. {OTHER}")
    assert once(text) == (text, 0.0)


def test_two_stretches_that_come_again_are_both_left_out_and_what_stands_between_them_stays():
    between = "Then one more thing happened there."
    text, share = once(Text(f"{SENTENCE} {SENTENCE} {between} {SENTENCE}"))
    assert text.text == f"{SENTENCE} {between} " and share == pytest.approx(22 / 39)


def test_case_does_not_hide_a_repeat():
    text, share = once(Text(f"{SENTENCE} {SENTENCE.upper()}"))
    assert (text.text, text.words, share) == (f"{SENTENCE} ", Text(SENTENCE).words, 0.5)


def test_padding_with_its_own_sentences_changes_no_count_but_that_of_repeats():
    own = f"{SENTENCE} {OTHER} Nobody knew why the old house at the corner stood empty."
    short, padded = surface([own, f"{own} {SENTENCE} {SENTENCE}"])
    assert padded[:-1] == pytest.approx(short[:-1])
    assert padded[FEATURES.index("said_again")] == pytest.approx(22 / 48) and short[FEATURES.index("said_again")] == 0


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300), st.integers(1, 4))
def test_any_text_is_cut_only_where_it_repeats_itself(text, times):
    kept, share = once(Text(text * times))
    assert 0 <= share < 1 and (share > 0) == (len(kept.text) < len(text * times))
    assert kept.words == Text(kept.text).words
