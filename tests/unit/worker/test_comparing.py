"""Feedback on what sets a text apart from well-scored ones, by hand."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import pytest

from heads.well_scored import well_scored
from worker import comparing
from worker.comparing import ASPECTS
from worker.features.surface import FEATURES, surface
from worker.feedback import feedback as feedback_of

ORDER = {"name": "Clarity", "levels": [{"name": "Weak", "from": 0, "description": "Begin again."}]}


def compared(criterion, features):
    """What is said of one text."""
    return comparing.compared(criterion, features[None])[0]


def feedback(criterion, level, features):
    return feedback_of(criterion, [level], features[None])[0]


def typical(criterion, feature, words):
    known = comparing._well_scored()
    return known["criteria"][criterion][feature][bisect_right(known["edges"], words)][0]


def row(words=200, **features):
    """The features of a text that is as the well-scored ones are, but for some."""
    out = np.zeros(len(FEATURES))
    out[FEATURES.index("log_words")] = np.log1p(words)
    for criterion in ASPECTS:
        for aspect in ASPECTS[criterion]:
            if aspect.feature != "log_words":
                out[FEATURES.index(aspect.feature)] = typical(criterion, aspect.feature, words)
    for name, value in features.items():
        out[FEATURES.index(name)] = value
    return out


@pytest.fixture
def known(monkeypatch):
    """Sentences of 18 words on average, with a standard deviation of 4, in texts below 150 words; 20 above."""
    marks = {"repeated_word_share": [[0.0, 0.01]] * 2, "spacing_errors": [[0.01, 0.01]] * 2}
    table = {"Clarity": {"sentence_mean": [[18, 4], [20, 4]], **marks}}
    monkeypatch.setattr(comparing, "_well_scored", lambda: {"edges": [150], "criteria": table})


def counted(words, **features):
    out = np.zeros(len(FEATURES))
    out[FEATURES.index("log_words")] = np.log1p(words)
    for name, value in features.items():
        out[FEATURES.index(name)] = value
    return out


def test_the_furthest_feature_is_named_first_with_both_numbers(known):
    # (34 - 18) / 4 = 4 deviations for the sentences, (0.03 - 0.01) / 0.01 = 2 for the spaces
    lines = compared({"name": "Clarity"}, counted(100, sentence_mean=34.0, spacing_errors=0.03))
    assert lines[0] == "Your sentences average 34 words; in well-scored essays 18: split the longest ones."
    assert lines[1].startswith(
        "Spaces around commas and full stops are wrong 3 times in 100 words; in well-scored essays 1:"
    )


def test_a_text_is_compared_with_texts_of_its_own_length(known):
    assert "in well-scored essays 20" in compared({"name": "Clarity"}, counted(200, sentence_mean=34.0))[0]


def test_texts_of_a_chunk_are_compared_each_by_itself(known):
    far, near = counted(100, sentence_mean=34.0), counted(100, sentence_mean=18.0)
    assert [len(lines) for lines in comparing.compared({"name": "Clarity"}, np.stack([far, near, far]))] == [1, 0, 1]


def test_what_is_less_than_a_deviation_away_is_not_mentioned(known):
    assert compared({"name": "Clarity"}, counted(100, sentence_mean=21.9, spacing_errors=0.019)) == []


def test_the_good_side_is_never_blamed(known):
    assert compared({"name": "Clarity"}, counted(100, sentence_mean=18.0, spacing_errors=0.0)) == []


def test_a_levels_own_description_comes_first_and_a_trait_goes_by_its_criterion(known):
    far = counted(100, sentence_mean=34.0)
    assert feedback(ORDER, "Weak", far)[0] == "Begin again." and len(feedback(ORDER, "Weak", far)) == 2
    assert compared({"name": "Flow", "measures": "sentence_fluency"}, far) == compared({"name": "Clarity"}, far)
    assert compared({"name": "Humour"}, far) == []


def test_the_statistics_that_come_along_know_every_aspect_in_every_band():
    for words in (20, 200, 400, 900):
        for name in ASPECTS:
            assert len(compared({"name": name}, row(words, log_words=np.log1p(words)))) <= 2


def test_a_careless_text_is_told_so():
    text = "i wnt too skool yestrday and i sawe mi frend. he wos hapy and i wos hapy to. i lik skool becos i lern. " * 4
    said = " ".join(line for name in ASPECTS for line in compared({"name": name}, surface([text])[0]))
    assert "The word I is written small" in said and "Your text has" in said and "Paragraphs in your text: 1;" in said


def test_well_scored_is_the_upper_third_of_each_assignment():
    scores = np.array([0.0, 0.1, 0.2, 0.3, 0.8, 0.9, np.nan])
    groups = np.array(["a", "a", "a", "b", "b", "b", "b"])
    # the upper third of a begins at 0.1 + (0.2 - 0.1) / 3, of b at 0.8 + (0.9 - 0.8) / 3
    assert well_scored(scores, groups).tolist() == [False, False, True, False, False, True, False]
