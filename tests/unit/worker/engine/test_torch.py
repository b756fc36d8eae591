"""What the torch engine does on a device with little memory, and with models that look back only."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.unit.worker.engine.test_engines import settings, text
from tests.unit.worker.engine.tiny import KINDS, make
from worker.engine import load_engine
from worker.engine.torch import TorchEngine, is_causal, load_model
from worker.errors import EngineFailed, ModelUnavailable


class Narrow(nn.Module):
    """A device that has memory for so many tokens at once."""

    def __init__(self, inner: nn.Module, most: int) -> None:
        super().__init__()
        self.inner, self.most = inner, most
        self.sizes: list[int] = []
        self.masks: list[Any] = []

    def forward(self, ids: Any, mask: Any, pool: Any) -> Any:
        if ids.numel() > self.most:
            raise torch.OutOfMemoryError("no memory left")
        self.sizes.append(ids.numel())
        self.masks.append(mask)
        return self.inner(ids, mask, pool)


def narrowed(folder: Path, kind: str, most: int) -> tuple[TorchEngine, Narrow]:
    engine = load_engine(settings(folder, model=str(make(folder, kind)), engine="torch"))
    assert isinstance(engine, TorchEngine)
    narrow = Narrow(engine._pooled, most)
    engine._pooled = narrow
    return engine, narrow


def test_a_batch_that_is_too_large_for_the_device_is_computed_in_parts(tmp_path, caplog):
    engine, narrow = narrowed(tmp_path, "bert", 10**9)
    texts = [text(40 + n, n) for n in range(12)]
    whole = engine.encode(texts).vectors
    assert len(narrow.sizes) == 1
    narrow.most = narrow.sizes[0] // 3
    narrow.sizes.clear()
    with caplog.at_level(logging.WARNING, "worker.engine.torch"):
        np.testing.assert_allclose(engine.encode(texts).vectors, whole, atol=1e-5)
    assert len(narrow.sizes) == 4 and "too many for the memory of cpu" in caplog.text
    caplog.clear()
    np.testing.assert_allclose(engine.encode(texts).vectors, whole, atol=1e-5)
    assert not caplog.records, "later batches are small enough from the start"


def test_a_device_without_memory_for_one_window_says_that_the_engine_failed(tmp_path):
    engine, _ = narrowed(tmp_path, "bert", 3)
    with pytest.raises(EngineFailed, match="OutOfMemoryError"):
        engine.encode([text(40), text(30)])


@pytest.mark.parametrize("kind", list(KINDS))
def test_models_that_look_back_only_are_known(kind, tmp_path):
    assert is_causal(load_model(make(tmp_path, kind), torch.float32)) == (kind == "gpt2")


@pytest.mark.parametrize(("kind", "masked"), [("gpt2", False), ("bert", True)])
def test_padding_is_masked_where_a_token_could_see_it(kind, masked, tmp_path):
    engine, narrow = narrowed(tmp_path, kind, 10**9)
    long, short = text(50), text(9)
    together = engine.encode([long, short]).vectors
    assert (narrow.masks[0] is not None) == masked
    np.testing.assert_allclose(engine.encode([short]).vectors[0], together[1], atol=1e-5)
    assert narrow.masks[-1] is None, "there is no padding"


def test_the_token_budget_is_what_the_settings_say(tmp_path):
    make(tmp_path, "bert")
    sizes = [64] * 100
    for budget, most in ((0, 64), (640, 10)):
        engine = load_engine(settings(tmp_path, model=str(tmp_path), engine="torch", token_budget=budget))
        assert isinstance(engine, TorchEngine)
        assert max(len(group) for group in engine.group(sizes)) == most


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_without_a_cuda_device_it_says_what_to_look_at(tmp_path):
    with pytest.raises(ModelUnavailable, match=r"`nvidia-smi`.*GRADELINE_DEVICE=cpu"):
        load_engine(settings(tmp_path, model=str(make(tmp_path, "bert")), engine="torch", device="cuda"))
