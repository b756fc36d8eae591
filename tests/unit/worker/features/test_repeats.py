"""What is said twice is read and counted once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.features.surface import surface
from worker.features.text import Text

SENTENCE = "The dog sat on the mat by the door, and slept."
OTHER = "A cat came in."


def once(text: str) -> str:
    return Text(text).once.text


def test_a_sentence_that_comes_again_is_left_out_with_its_mark():
    assert once(f"{SENTENCE} {OTHER} {SENTENCE} It was late.") == f"{SENTENCE} {OTHER} It was late."


def test_a_short_sentence_is_left_out_where_it_comes_again_as_a_whole():
    assert once(f"{OTHER} It was late. {OTHER} Then a cat came in.") == f"{OTHER} It was late. Then a cat came in."


def test_fewer_than_eight_words_that_are_no_sentence_and_fewer_than_four_that_are_one_may_come_again():
    text = Text("Nobody knew it, but a cat came in. I agree. So a cat came in. I agree.")
    assert text.once is text and not len(text.repeats)


def test_short_and_long_repeats_that_follow_each_other_are_one():
    text = Text(f"{SENTENCE} {OTHER} It was late. {OTHER} {SENTENCE} {OTHER} The end.")
    # 11 + 4 + 3 words, then 4 + 11 + 4 that were said before
    assert text.repeats.tolist() == [[18, 36]]
    assert text.once.text == f"{SENTENCE} {OTHER} It was late. The end."


def test_two_stretches_that_come_again_are_both_left_out_and_what_stands_between_them_stays():
    between = "Then one more thing happened there."
    assert once(f"{SENTENCE} {SENTENCE} {between} {SENTENCE}") == f"{SENTENCE} {between}"


def test_a_word_behind_a_repeat_without_a_space_between_stays():
    assert once(f"{SENTENCE} {SENTENCE}Then it left.") == f"{SENTENCE} Then it left."


def test_what_comes_again_with_another_number_is_said_for_the_first_time():
    days = [f"On day {n} of the month it was {n + 9} degrees warm at noon." for n in (1, 2, 21)]
    text = Text(" ".join(days))
    assert text.once is text
    assert once(f"{text.text} So it went on. {days[1]}") == f"{text.text} So it went on."
    swapped = Text(
        "It rose by 12 in May, then by 1 in June of that year. It rose by 1 in May, then by 12 in June of that year."
    )
    assert swapped.once is swapped


def test_case_does_not_hide_a_repeat():
    assert once(f"{SENTENCE} {SENTENCE.upper()}") == SENTENCE


def test_padding_with_its_own_sentences_changes_no_count():
    own = f"{SENTENCE} {OTHER} Nobody knew why the old house at the corner stood empty."
    short, padded = surface([own, f"{own} {SENTENCE} {OTHER} {SENTENCE}"])
    assert padded.tolist() == short.tolist()


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300), st.integers(1, 4))
def test_any_text_is_cut_only_where_it_repeats_itself(text, times):
    whole = Text(text * times)
    kept = whole.once
    assert (len(whole.repeats) > 0) == (len(kept.text) < len(whole.text))
    assert kept.words == Text(kept.text).words and set(kept.words) == set(whole.words)
