"""What tells a text that answers its assignment prompt from one that answers another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heads.corpora import Corpus
from heads.topic import NEUTRAL, Pairs, Topic, fit_topic, pairs_of, topic_figures, without_encoder
from worker.head.ridge import on_topic

NAMES = ("cats", "dogs", "fish", "birds", "bees", "ants")
# What every essay shares, and what every prompt shares: it must not count as likeness.
ESSAYS, PROMPTS = np.array([20.0, 0, 0, 0, 0, 0] * 3), np.array([0, 0, 0, 0, 0, -20.0] * 3)


@pytest.fixture
def pairs():
    draw = np.random.default_rng(0)
    about = {name: np.tile(np.eye(6)[k], 3) for k, name in enumerate(NAMES)}
    prompts: list[str | None] = [name for name in NAMES for _ in range(10)]
    vectors = np.stack([about[p or ""] + ESSAYS + draw.normal(0, 0.2, 18) for p in prompts]).astype(np.float32)
    nothing = np.zeros((60, 0))
    corpus = Corpus([f"We all like {p}." for p in prompts], prompts, np.full(60, "a"), nothing, np.ones(60))
    return pairs_of({"zoo": (corpus, vectors)}, {n: (v + PROMPTS).astype(np.float32) for n, v in about.items()})


def test_each_text_stands_beside_its_own_prompt_and_another_one(pairs):
    assert len(pairs.own) == 60 and (pairs.own != pairs.foreign).all() and pairs.enough()
    assert (pairs.shared[:, 0] > pairs.shared[:, 1]).all()


def test_what_all_essays_share_and_all_prompts_share_is_taken_off_before_they_are_compared(pairs):
    topic = fit_topic(pairs)
    assert np.allclose(topic.centre, [ESSAYS + 1 / 6, PROMPTS + 1 / 6], atol=0.15)
    own, foreign = (on_topic(side, topic.weights) for side in pairs.features(topic.centre))
    assert (own > 0.9).all() and (foreign < 0.1).all()


def test_figures_are_of_prompts_that_were_not_fitted_on(pairs, monkeypatch):
    fitted: list[set[int]] = []

    def spied(each: Pairs) -> Topic:
        fitted.append({*each.own.tolist(), *each.foreign.tolist()})
        return fit_topic(each)

    monkeypatch.setattr("heads.topic.fit_topic", spied)
    figures = topic_figures(pairs)
    assert (figures["auc"], figures["own_untouched"], figures["found_at_2_percent"]) == (1, 1, 1)
    assert sorted(n for known in fitted for n in {*range(6)} - known) == [0, 1, 2, 3, 4, 5]


def test_essays_that_answer_another_prompt_than_they_say_lower_the_figures(pairs):
    assert pairs.vectors is not None
    vectors = pairs.vectors.copy()
    vectors[pairs.own == 0] = pairs.vectors[pairs.own == 1]
    figures = topic_figures(replace(pairs, vectors=vectors, shared=pairs.shared * 0))
    assert figures["auc"] < 1 and figures["own_untouched"] < 0.9


def test_without_an_encoder_only_words_are_compared(pairs):
    topic = fit_topic(without_encoder(pairs))
    assert topic.centre.shape == NEUTRAL.centre.shape and topic.weights[1:4].tolist() == [0, 0, 0]
    assert topic_figures(without_encoder(pairs))["auc"] == 1


def test_a_corpus_with_a_single_prompt_teaches_nothing(pairs):
    corpus = Corpus(["We like cats."] * 50, ["cats"] * 50, np.full(50, "a"), np.zeros((50, 0)), np.ones(50))
    alone = pairs_of({"zoo": (corpus, np.ones((50, 18), np.float32))}, {"cats": np.ones(18, np.float32)})
    assert len(alone.own) == 0 and not alone.enough()
    assert (on_topic(np.ones((1, 5)), NEUTRAL.weights) > 0.99).all()
