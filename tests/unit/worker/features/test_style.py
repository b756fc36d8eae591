"""Kinds of words, slips and variety, each on a text whose value can be worked out by hand."""

from __future__ import annotations

import itertools
import math

import pytest

from worker.features.surface import FEATURES, surface
from worker.features.words import zipf

# Words that are all different: what a text says again counts once.
MANY = [f"w{a}{b}" for a, b in itertools.product("abcdefghijklmnopqrstuvwxyz", repeat=2)]
# a text, a feature, and its value
BY_HAND = [
    ("You can and must go.", "auxiliary_share", 2 / 5),
    ("I stay because it rains while you sleep.", "subordinator_share", 2 / 8),
    ("The cat of Rome sat on it.", "preposition_share", 2 / 7),
    ("The cat saw a dog and an owl.", "article_share", 3 / 8),
    ("Your cat likes you.", "second_person_share", 2 / 4),
    ("It is late and they were tired.", "be_share", 2 / 7),
    ("u gonna like it alot", "chat_share", 3 / 5),
    ("I dont know why he cant.", "lost_apostrophes", 2 / 6),
    ("I ate a apple and an book, a pear, an owl.", "wrong_articles", 2 / 11),
    ("She have a cat. They was here. I want to went. He has it.", "wrong_forms", 3 / 14),
    ("We saw the River, The end. Then we left.", "inner_capitals", 2 / 9),
    ("In the year 2020 we all won three games.", "digit_share", 4 / 8),
    ("One two three. One two three four five.", "longest_sentence", 5),
    (" ".join(MANY[:41]) + ". Short one here.", "endless_share", 1 / 2),
    ("Too short. This one has just about enough words.", "scrap_share", 1 / 2),
    ("xqzvk likes xqzvk and brrtz", "unknown_types", 2 / math.sqrt(5)),
    ("we go we go we stay", "pair_share", 3 / 5),
    ("we all go and we all go", "repeated_triples", 2 / 7),
    ("We go. We stay. They run.", "opening_share", 2 / 3),
    ("the the cat", "zipf_quarter", zipf("cat")),
    ("one two two three", "once_share", 2 / 4),
    ("The movement of a nation needs kindness.", "noun_endings", 3 / 7),
    ("She slowly and sadly left.", "ly_share", 2 / 5),
    ("Running and singing is fun.", "ing_share", 2 / 5),
    ("She walked and talked.", "ed_share", 2 / 4),
]


@pytest.mark.parametrize(("text", "name", "value"), BY_HAND, ids=[name for _, name, _ in BY_HAND])
def test_a_feature_has_the_value_worked_out_by_hand(text, name, value):
    assert surface([text])[0, FEATURES.index(name)] == pytest.approx(value)


def test_a_long_sentence_counts_as_one_of_two_hundred_words():
    assert surface([" ".join(MANY[:500])])[0, FEATURES.index("longest_sentence")] == 200
