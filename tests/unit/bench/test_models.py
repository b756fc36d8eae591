"""Random models on disk are real ones: the engine of workers reads English with them."""

from __future__ import annotations

import numpy as np
import pytest

from bench import own_head
from bench.models import build, folder_of
from worker.engine import load_engine
from worker.engine.source import embedded
from worker.engine.tokens import read_config
from worker.settings import WorkerSettings

SMALL = {
    "distilbert": {"dim": 32, "n_layers": 3, "n_heads": 2, "hidden_dim": 64},
    "deberta": {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64},
    "dialogpt": {"n_embd": 32, "n_layer": 3, "n_head": 2},
}


@pytest.mark.parametrize("name", SMALL)
def test_a_random_model_reads_english(name, tmp_path):
    build(tmp_path / name, name, **SMALL[name])
    engine = load_engine(WorkerSettings(model=str(tmp_path / name), engine="torch", home=tmp_path))
    read = engine.encode(["Phones help pupils learn.", "They distract them, too."])
    assert read.vectors.shape == (2, 96)
    assert np.isfinite(read.vectors).all()
    assert read.tokens.tolist() == [5, 6]


def test_the_same_model_is_made_every_time(tmp_path):
    for folder in ("a", "b"):
        build(tmp_path / folder, "distilbert", **SMALL["distilbert"])
    a, b = ((tmp_path / folder / "model.safetensors").read_bytes() for folder in ("a", "b"))
    assert a == b


def test_sizes_are_those_of_the_models_that_are_named(tmp_path):
    from transformers import GPT2Config

    from bench.models import _config

    config = _config("distilbert", {})
    assert (config.dim, config.n_layers, config.hidden_dim, config.vocab_size) == (768, 6, 3072, 30522)
    medium: GPT2Config = _config("dialogpt", {})
    assert (medium.n_embd, medium.n_layer, medium.n_head) == (1024, 24, 16)
    deberta = _config("deberta", {})
    assert (deberta.hidden_size, deberta.num_hidden_layers, deberta.intermediate_size) == (768, 12, 3072)


def test_the_default_model_is_the_one_that_comes_along():
    assert folder_of("minilm") == embedded().folder
    assert read_config(folder_of("minilm"))["hidden_size"] == 384


def test_made_essays_can_fit_a_head(tmp_path):
    from heads.graded import read_graded

    own_head.graded(tmp_path / "graded.csv")
    graded = read_graded(tmp_path / "graded.csv")
    assert graded.criteria == own_head.CRITERIA
    assert len(graded.texts) == own_head.ESSAYS
    assert (graded.low, graded.high) == (0, 6)
