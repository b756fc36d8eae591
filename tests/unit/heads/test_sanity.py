"""Spoiling a text lowers the right score, and cheating is noticed: on texts that were written for the project."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import numpy as np
import pytest

from heads.attack import Drawn, drawn, graded
from heads.attacks import ATTACKS, GUARDED, SPOILS
from heads.corpora import asap
from heads.made_texts import EACH, essay, negatives, positives
from heads.nonsense import keywords, nonsense
from heads.sanity import changes
from worker.engine import load_engine
from worker.head import load_default
from worker.head.traits import CRITERIA
from worker.reading import Reader
from worker.settings import WorkerSettings

DATA = Path(os.environ.get("GRADELINE_DATA", "../shared/data"))


@pytest.fixture(scope="module")
def engine(model_home):
    return load_engine(WorkerSettings(engine="onnx", home=model_home, threads=2))


@pytest.fixture(scope="module")
def own():
    made = [essay(Random(f"sanity {n}"), n) for n in range(8)]
    # there are eight topics: five further is another
    others = [essay(Random(f"other {n}"), n + 5).text for n in range(8)]
    return Drawn([m.text for m in made], [m.prompt for m in made], others)


def test_what_spoils_a_text_lowers_the_right_criterion(engine, own):
    for name, mean in changes(own, engine).items():
        # eight short texts say too little of the order of sentences
        if name != "shuffled":
            assert mean[CRITERIA.index(SPOILS[name][1])] < 0, name


def test_guarded_attacks_on_own_texts_win_little_unnoticed(engine, own):
    head = load_default(engine.model, engine.revision)
    reader = Reader(engine, head.centre)
    before = graded(own.texts, own.prompts, reader, head)
    for name in GUARDED:
        after = graded(own.changed(name, ATTACKS[name]), own.prompts, reader, head)
        rise = (after.scores - before.scores)[~after.noticed]
        assert not rise.size or np.mean(rise[:, -1]) <= 5, name


@pytest.mark.skipif(not (DATA / "asap.csv").exists(), reason="the corpora are not here: set GRADELINE_DATA")
def test_what_spoils_an_essay_of_the_corpora_lowers_the_right_criterion(engine):
    for name, mean in changes(drawn(asap(DATA), 14), engine).items():
        if name != "shuffled":
            assert mean[CRITERIA.index(SPOILS[name][1])] < 0, name


def test_attacks_are_the_same_each_time(own):
    for name, change in ATTACKS.items():
        assert own.changed(name, change) == own.changed(name, change)
        assert own.changed(name, change) != own.texts


def test_nonsense_parses_and_is_about_the_prompt():
    prompt = "Should your school begin an hour later in the morning?"
    text = nonsense(Random("a"), prompt, 200)
    assert "{" not in text and len(text.split()) >= 200
    assert any(word in text.lower() for word in keywords(prompt))


def test_there_are_at_least_forty_made_texts_each_way():
    assert all(len(made) >= 40 for made in positives().values()) and len(negatives()) >= 40 == EACH - 8
