"""The texts that are timed."""

from __future__ import annotations

import pytest

from bench.texts import mixed_texts, texts_of
from worker.features.text import Text


@pytest.mark.parametrize("words", [12, 350, 900])
def test_texts_have_so_many_words_and_say_nothing_twice(words):
    """An encoder reads once what a text says twice: such a text would take less time than it seems to."""
    texts = texts_of(20, seed=3, words=words)
    assert {len(text.split()) for text in texts} == {words}
    for text in map(Text, [*texts, *mixed_texts(20)]):
        assert text.once is text
