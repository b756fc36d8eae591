"""Words, sentences and marks of a text, found as arrays: the same that patterns find, for any text."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.features import characters, kinds
from worker.features.joined import Joined
from worker.features.lexicon import Lexicon
from worker.features.runs import again, came_before, different, runs
from worker.features.surface import PASS_CHARS, passes, surface
from worker.features.text import Text
from worker.features.words import SENTENCE_END, WORD, words_of, zipf

# Letters, digits and marks that stand in essays and on the edge of what a word is; İ grows when it is made small.
TEXTS = st.text(
    st.sampled_from("abcI iiSé日½²3_@'’\".,;:!?)]”\n\t 😀") | st.characters(exclude_categories=["Cs"]), max_size=80
)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_words_are_those_that_the_pattern_finds(text):
    found = [match.span() for match in WORD.finditer(text)]
    assert [tuple(edge) for edge in Text(text).edges.tolist()] == found
    if len(text.lower()) == len(text):
        assert Text(text).words == words_of(text)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_sentences_have_the_words_between_their_ends(text):
    lengths = [len(WORD.findall(part)) for part in SENTENCE_END.split(text)]
    assert Text(text).sentences == ([n for n in lengths if n] or [0])
    lengths = [len(WORD.findall(part)) for part in re.split(r"[.!?\n]+", text)]
    assert Text(text).lines == [n for n in lengths if n]


@pytest.mark.parametrize(
    ("found", "pattern"),
    [
        (characters.marks_after_space, r"\s[,.;:!?](?=\s|$)"),
        (characters.marks_before_letter, r"[,;!?][^\W\d_]"),
        (characters.lone_small_i, r"(?<![\w'’@])i(?![\w'’.])"),
        (characters.inner_capitals, r"(?<=[a-z,;] )[A-Z][a-z]+"),
        (lambda kinds: np.flatnonzero(kinds & characters.DIGIT), r"\d"),
    ],
)
@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS | st.text("ab,; IAi.", max_size=12), min_size=1, max_size=4))
def test_characters_are_counted_as_the_pattern_would_in_each_of_some_texts(found, pattern, texts):
    joined = Joined([Text(text) for text in texts])
    assert joined.marks(found(joined.kinds)).tolist() == [len(re.findall(pattern, text)) for text in texts]


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS | st.text("ab .", max_size=40), min_size=1, max_size=5))
def test_a_text_has_the_same_features_alone_and_in_any_company(texts):
    assert surface(texts).tolist() == [surface([text])[0].tolist() for text in texts]


@given(st.lists(st.integers(0, 2 * PASS_CHARS), max_size=12))
def test_each_text_is_counted_in_one_pass_and_no_pass_but_a_long_text_s_own_is_too_long(lengths):
    parts = [lengths[part] for part in passes(lengths)]
    assert [length for part in parts for length in part] == lengths
    assert all(part and (len(part) == 1 or sum(part) <= PASS_CHARS) for part in parts)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abc"), max_size=20), min_size=1, max_size=4), st.integers(1, 4))
def test_runs_of_each_text_are_its_own(texts, size):
    runs_of, different_of, once_of = Joined([Text(" ".join(words)) for words in texts]).runs(size)
    spelt = [[tuple(words[n : n + size]) for n in range(len(words) - size + 1)] for words in texts]
    assert runs_of.tolist() == [len(each) for each in spelt]
    assert different_of.tolist() == [len(set(each)) for each in spelt]
    assert once_of.tolist() == [sum(each.count(run) == 1 for run in each) for each in spelt]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(1, 9))
def test_runs_are_told_apart_as_their_words_are(words, size):
    numbers = runs(Lexicon().look_up(words).code, size)
    spelt = [tuple(words[n : n + size]) for n in range(len(words) - size + 1)]
    assert len(numbers) == len(spelt)
    assert different(numbers) == len(set(spelt))
    assert came_before(numbers).tolist() == [n for n, run in enumerate(spelt) if run in spelt[:n]]
    assert again(Lexicon().look_up(words).code, size) == len(spelt) - len(set(spelt))


def test_what_is_known_of_a_word():
    known = Lexicon().look_up(["don't", "however", "zqxv", "movement"])
    assert known.length.tolist() == [5, 7, 4, 8] and known.apostrophes.tolist() == [1, 0, 0, 0]
    assert known.zipf.tolist() == [zipf(word) for word in ("don't", "however", "zqxv", "movement")]
    assert known.kinds[:, kinds.CONNECTIVE].tolist() == [0, 1, 0, 0]
    assert known.kinds[:, kinds.FUNCTION].tolist() == [1, 1, 0, 0]
    assert known.kinds[3, kinds.ENDINGS_AT].tolist() == [1, 0, 0, 0]


def test_a_full_lexicon_starts_afresh_and_holds_a_text_with_more_words_than_it_may_keep():
    lexicon = Lexicon(most=10)
    many = [f"w{'abcdefghij'[n // 10]}{'abcdefghij'[n % 10]}" for n in range(100)]
    first = lexicon.look_up(["sea", *many])
    assert len(set(first.rows.tolist())) == 101
    second = lexicon.look_up(["glow", "sea"])
    assert len(lexicon) == 2
    assert second.code[1] == first.code[0] and second.zipf[1] == zipf("sea")


def test_threads_that_look_up_at_once_find_the_same():
    lexicon = Lexicon(most=50)
    texts = [[f"{a}{b}" for b in "abcdefghijklmnopqrstuvwxyz"] for a in "abcdefgh"] * 20
    with ThreadPoolExecutor(8) as pool:
        for words, known in zip(texts, pool.map(lexicon.look_up, texts), strict=True):
            assert known.zipf.tolist() == [zipf(word) for word in words]
            assert len(set(known.code.tolist())) == len(words)
