"""A head at work, and on disk."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from heads.made_texts import negatives, positives
from worker.engine.source import EMBEDDED_REVISION
from worker.errors import ModelUnavailable
from worker.features.prompt import NO_CENTRE
from worker.head import Evidence, gather, load_default, load_surface
from worker.head.ridge import FARTHEST, ON_TOPIC, Head, gate, standardised
from worker.head.store import ARRAYS, HERE, read_head, write_head

SAMPLES = Path(__file__).parents[3] / "samples"
TINY = Head(
    "tiny", 1, ("Structure", "Relevance"), "m", "r", False, 0.9,
    mean=np.array([0.0, 1.0]), scale=np.array([1.0, 2.0]), weights=np.array([[0.1, 0.0], [0.2, 0.1]]), bias=np.array([0.5, 0.6]),
    edges=np.array([100.0]), half_widths=np.array([[0.3, 0.2, 0.1], [0.1, 0.1, 0.05]]), topic=np.zeros(6), centre=NO_CENTRE,
)  # fmt: skip


def evidence(vector: float, surface: float, words: int = 10, prompt: float = np.nan) -> Evidence:
    return Evidence(
        np.array([[vector]], np.float32), np.array([[surface]]), np.full((1, 5), prompt), np.array([words], np.int64)
    )


def test_a_score_is_worked_out_by_hand():
    done = TINY.predict(evidence(1.0, 3.0))
    assert done.scores.tolist() == [[pytest.approx(0.8), pytest.approx(0.7)]]
    assert done.overall.tolist() == [pytest.approx(0.75)]
    assert done.low[0].tolist() == pytest.approx([0.5, 0.5]) and done.high[0].tolist() == pytest.approx([1.0, 0.9])
    assert np.isnan(done.on_topic).all()


def test_intervals_are_those_of_the_texts_length():
    assert TINY.predict(evidence(0, 1, words=99)).low[0, 0] == pytest.approx(0.2)
    assert TINY.predict(evidence(0, 1, words=100)).low[0, 0] == pytest.approx(0.4)


def test_an_input_far_out_counts_as_the_farthest_that_is_known():
    assert standardised(np.array([[1e9, -1e9]]), TINY.mean, TINY.scale).tolist() == [[FARTHEST, -FARTHEST]]
    assert TINY.predict(evidence(1e9, 1)).scores[0, 0] == pytest.approx(0.9)


def test_relevance_falls_only_where_a_text_is_hardly_on_topic_and_not_without_a_prompt():
    assert gate(np.array([np.nan, 0.9, ON_TOPIC, ON_TOPIC / 2, 0.0])).tolist() == [1, 1, 1, 0.5, 0]
    off = replace(TINY, topic=np.array([-10.0, 0, 0, 0, 0, 0]))
    scores = off.predict(evidence(0, 1, prompt=0.0)).scores[0]
    assert scores[0] == pytest.approx(0.5) and scores[1] < 0.01


def test_a_head_comes_back_from_disk_as_it_was(tmp_path):
    write_head(TINY, tmp_path, {"data": "none"})
    again = read_head(tmp_path, "tiny")
    assert (again.criteria, again.version, again.degraded) == (TINY.criteria, 1, False)
    for name in ARRAYS:
        np.testing.assert_allclose(getattr(again, name), getattr(TINY, name), rtol=1e-6)


def test_numbers_that_are_not_the_cards_are_refused(tmp_path):
    write_head(TINY, tmp_path, {})
    file = tmp_path / "tiny.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ModelUnavailable, match="card"):
        read_head(tmp_path, "tiny")


def test_a_head_of_another_version_is_refused_and_what_to_do_is_said(tmp_path):
    write_head(TINY, tmp_path, {})
    old = save({name: array for name, array in load_file(tmp_path / "tiny.safetensors").items() if name != "centre"})
    (tmp_path / "tiny.safetensors").write_bytes(old)
    card = json.loads((tmp_path / "tiny.json").read_text())
    (tmp_path / "tiny.json").write_text(json.dumps({**card, "sha256": hashlib.sha256(old).hexdigest()}))
    with pytest.raises(ModelUnavailable, match="'tiny' was fitted by another version of Gradeline: fit it again"):
        read_head(tmp_path, "tiny")


def test_a_model_without_a_head_does_not_grade():
    with pytest.raises(ModelUnavailable, match="does not grade"):
        load_default("distilbert-base-uncased", "main")


def test_the_heads_that_come_along_measure_the_four_criteria_with_honest_cards():
    for head in (load_default("all-MiniLM-L6-v2", EMBEDDED_REVISION), load_surface()):
        assert head.criteria == ("Structure", "Clarity", "Relevance", "Academic_Writing")
        card = (HERE / f"{head.name}.json").read_text()
        assert "research and evaluation" in card and "coverage" in card
    assert sum(f.stat().st_size for f in HERE.glob("*.safetensors")) < 1_000_000


def test_the_surface_head_grades_without_vectors_and_longer_essays_higher():
    texts = ["bad txt no good", (SAMPLES / "town-strong.txt").read_text()]
    scores = load_surface().predict(gather(texts, [None, None])).scores
    assert (scores[1] > scores[0]).all() and np.isfinite(scores).all()


def test_without_an_encoder_essays_that_answer_their_prompts_are_on_topic_and_most_others_are_not():
    clean, strangers = (
        load_surface().on_topic(gather([m.text for m in made], [m.prompt for m in made]))
        for made in (negatives(), positives()["off_topic"])
    )
    assert (clean >= ON_TOPIC).mean() > 0.9 and (strangers < ON_TOPIC).mean() > 0.7
