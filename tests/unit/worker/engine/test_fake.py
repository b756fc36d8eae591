"""The engine without a model: a device that takes so long, one call after another."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from worker.engine import load_engine
from worker.engine.fake import TAIL_S, FakeEngine
from worker.settings import WorkerSettings


@pytest.mark.parametrize("texts", [1, 8])
def test_a_call_takes_its_time_however_many_texts(texts):
    engine = load_engine(WorkerSettings(engine="fake", fake_chunk_ms=30))
    assert 30 <= engine.encode(["a text"] * texts).inference_ms < 300


def test_a_text_takes_its_time():
    engine = load_engine(WorkerSettings(engine="fake", fake_ms=10))
    assert engine.encode(["a text"] * 4).inference_ms >= 40


def test_a_text_has_its_own_vector_in_any_company():
    engine = FakeEngine()
    first, second = engine.encode(["one", "two"]).vectors
    assert np.array_equal(engine.encode(["two"]).vectors[0], second) and not np.array_equal(first, second)


def test_calls_that_begin_together_take_their_time_one_after_another(monkeypatch):
    now = [100.0]
    # A clock of the engine's own: threads of other tests sleep by the usual one.
    clock = SimpleNamespace(perf_counter=lambda: now[0], sleep=lambda seconds: now.append(now.pop() + seconds))
    monkeypatch.setattr("worker.engine.fake.time", clock)
    engine = FakeEngine(ms_a_text=50, ms_a_call=100)
    first = engine.begin(["one", "two"])
    assert now[0] == pytest.approx(100.2 - TAIL_S), "it takes other texts a little before it is done"
    second = engine.begin(["three"])
    assert now[0] == pytest.approx(100.35 - TAIL_S)
    assert (round(first().inference_ms), round(second().inference_ms)) == (330, 170)
    assert now[0] == pytest.approx(100.35)
