"""The fake engine takes the time that it is told to take."""

from __future__ import annotations

import pytest

from worker.engine import load_engine
from worker.settings import WorkerSettings


@pytest.mark.parametrize("texts", [1, 8])
def test_a_call_takes_its_time_however_many_texts(texts):
    engine = load_engine(WorkerSettings(engine="fake", fake_chunk_ms=30))
    assert 30 <= engine.encode(["a text"] * texts).inference_ms < 300


def test_a_text_takes_its_time():
    engine = load_engine(WorkerSettings(engine="fake", fake_ms=10))
    assert engine.encode(["a text"] * 4).inference_ms >= 40
