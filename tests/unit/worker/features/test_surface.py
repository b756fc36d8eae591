"""Each feature on a text whose value can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.features.prompt import NO_CENTRE, cosine, mark_of, overlap, overlaps, prompt_features
from worker.features.surface import FEATURES, surface
from worker.features.text import Text

# 14 words, 12 of them different; sentences of 4, 3 and 7 words; two paragraphs.
TEXT = 'I like the sea. the sea glows!\n\nBut however ,i saw "strange strange" xqzv?'
VALUES = {
    "log_words": math.log(15),
    "root_words": math.sqrt(14),
    "log_sentences": math.log(4),
    "sentence_mean": 14 / 3,
    "type_share": 10 / 14,
    "guiraud": 10 / math.sqrt(14),
    "moving_type_share": 10 / 14,
    "word_length_mean": 54 / 14,
    "long_share": 0 / 14,
    "unknown_share": 1 / 14,
    "connective_share": 2 / 14,
    "connective_types": 2,
    "comma_share": 1 / 14,
    "exclamation_share": 1 / 14,
    "question_share": 1 / 14,
    "quote_share": 2 / 14,
    "semicolon_share": 0,
    "apostrophe_share": 0,
    "log_paragraphs": math.log(2),
    "spacing_errors": 1 / 14,
    "small_starts": 1 / 3,
    "lone_i": 1 / 14,
    "first_person_share": 2 / 14,
    "repeated_word_share": 1 / 14,
}


@pytest.mark.parametrize("name", VALUES)
def test_a_feature_has_the_value_worked_out_by_hand(name):
    assert surface([TEXT])[0, FEATURES.index(name)] == pytest.approx(VALUES[name])


def test_readability_follows_its_formula():
    # 6 words of 23 letters in 2 sentences
    value = surface(["Cats sleep now. Dogs never sleep."])[0, FEATURES.index("coleman_liau")]
    assert value == pytest.approx(0.0588 * 100 * 26 / 6 - 0.296 * 100 * 2 / 6 - 15.8)


def test_frequencies_tell_common_rare_and_unknown_words_apart():
    rows = surface(["the and of", "zygote obfuscate perspicacious", "xqzvk brrtz qqqqw"])
    mean, rare, unknown = (rows[:, FEATURES.index(n)] for n in ("zipf_mean", "rare_share", "unknown_share"))
    assert mean[0] > mean[1] > mean[2] == 0
    assert rare.tolist() == [0, 1, 0]
    assert unknown.tolist() == [0, 0, 1]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=400))
def test_every_feature_is_finite_for_any_text(text):
    assert np.isfinite(surface([text])).all()


def test_a_long_run_of_anything_is_finite_too():
    assert np.isfinite(surface(["x" * 200_000, "a. " * 60_000, "", "\n" * 1000, "😀" * 5000])).all()


def test_a_prompt_shared_in_full_has_share_one_and_no_prompt_is_nan():
    texts = [Text("Phones belong in schools."), Text("Whales sing.")]
    out = prompt_features(overlaps(texts, ["Phones in schools", None]), None, None, NO_CENTRE)
    assert out[0, 3] == pytest.approx(1.0) and out[0, :3].tolist() == [0, 0, 0]
    assert np.isnan(out[1]).all()


def test_each_layer_is_compared_less_its_centre():
    text, prompt = np.array([[1, 0, 5, 5, 2, 1]], np.float32), np.array([[0, 1, 5, 5, 1, 1]], np.float32)
    shared, centre = np.array([[0.5, 0.2]]), np.array([[0, 0, 4, 5, 1, 1], [0, 0, 5, 4, 0, 1]])
    plain, centred = (prompt_features(shared, text, prompt, each)[0].tolist() for each in (NO_CENTRE, centre))
    assert plain == pytest.approx([0, 1, 3 / math.sqrt(10), 0.5, 0.2])
    assert centred == pytest.approx([0, 0, 1, 0.5, 0.2])
    nothing = np.full_like(prompt, np.nan)
    assert np.isnan(prompt_features(np.full((1, 2), np.nan), text, nothing, centre)).all()


def test_features_of_another_centre_are_told_apart():
    centre = np.array([[0.25, 0.5], [0.1, 0.0]])
    assert mark_of(centre) == mark_of(centre.astype(np.float32)) != mark_of(centre + 0.25) != mark_of(NO_CENTRE)


def test_overlap_weighs_words_and_counts_density():
    assert overlap({"phone": 4.0, "schoo": 3.0, "belon": 4.0, "x": 1.0}, {"phone": 4.0, "ban": 4.0}) == (0.5, 0.5)


def test_cosine_of_known_vectors():
    a, b = np.array([[1, 0], [1, 1], [0, 0]], np.float32), np.array([[1, 0], [1, 0], [1, 0]], np.float32)
    assert cosine(a, b).tolist() == pytest.approx([1, math.sqrt(0.5), 0])
